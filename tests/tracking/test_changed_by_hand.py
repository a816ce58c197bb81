"""What someone deletes or moves in MLflow's pages, and projects whose path has letters that mean something in a URI."""

import logging
import shutil
import time

import pytest
import stores
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.refusals import input_error
from ae_pipelines.tracking.encoders import folder_of
from ae_pipelines.tracking.runs import open_run
from ae_pipelines.tracking.store import EXPERIMENT, client_of, store_uri
from ae_pipelines.tracking.versions.registry import FILES, ModelRegistry


@pytest.fixture
def store(tmp_path, empty_store, monkeypatch):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(tmp_path))
    monkeypatch.delenv("AE_RUN", raising=False)
    return MlflowClient(uri)


def opened(tmp_path):
    return open_run(tmp_path, "fit", time.time(), {"pipeline": "fit"})


def test_a_deleted_experiment_is_restored_and_that_is_said_once(store, tmp_path, caplog):
    first = opened(tmp_path)
    first.end("FINISHED")
    store.delete_experiment(store.get_experiment_by_name(EXPERIMENT).experiment_id)
    with caplog.at_level(logging.WARNING):
        second = opened(tmp_path)
        second.report({"loss": 1.0})
        second.end("FINISHED")
    assert store.get_run(second.id).info.status == "FINISHED"
    assert store.get_run(second.id).info.experiment_id == store.get_run(first.id).info.experiment_id
    said = [record.getMessage() for record in caplog.records if "deleted" in record.getMessage()]
    assert said == [f"the MLflow experiment {EXPERIMENT} had been deleted: it is restored, to record this run"]


def test_a_shared_run_that_was_deleted_is_begun_afresh(store, tmp_path, monkeypatch):
    monkeypatch.setenv("AE_RUN", "nightly/1")
    first = opened(tmp_path)
    first.end("FINISHED")
    store.delete_run(first.id)
    second = opened(tmp_path)
    second.end("FINISHED")
    assert second.id != first.id
    assert store.get_run(second.id).info.status == "RUNNING"


def test_a_run_that_is_deleted_while_it_works_ends_with_one_message_that_names_it(store, tmp_path):
    record = opened(tmp_path)
    store.delete_run(record.id)
    with pytest.raises(MlflowException) as fault:
        record.tag("a", "b")
    said = str(input_error(fault.value))
    assert record.id in said
    assert f"{store_uri(tmp_path)}, says:" in said
    assert "\n" not in said


def test_an_encoder_of_a_run_that_is_gone_is_refused(store, tmp_path):
    record = opened(tmp_path)
    store.delete_run(record.id)
    with pytest.raises(InputError, match="has no 'encoder', it kept nothing"):
        folder_of(tmp_path, f"runs:/{record.id}/encoder")
    with pytest.raises(InputError, match="there is no MLflow run 123"):
        folder_of(tmp_path, "runs:/123/encoder")


# -- the registry ----------------------------------------------------------------------------------------


@pytest.fixture
def version(store, tmp_path):
    """Registers a version of a folder and moves the alias to it."""
    (tmp_path / "files/data").mkdir(parents=True)
    store.create_registered_model("cells")

    def version(**tags):
        made = store.create_model_version("cells", (tmp_path / "files").as_uri(), tags=tags)
        store.set_registered_model_alias("cells", "champion", made.version)
        return made.version

    return version


def fetched(tmp_path, number=None):
    return ModelRegistry(tmp_path, "cells").fetch(number, "champion")


def test_an_alias_on_a_version_that_was_registered_by_hand_is_refused(version, tmp_path):
    version()
    with pytest.raises(InputError, match="cells version 1 was not registered by `register`.* move the alias champion"):
        fetched(tmp_path)


def test_a_version_whose_files_are_gone_is_refused_with_their_place(version, tmp_path):
    version(**{FILES: '{"a": "b"}'})
    shutil.rmtree(tmp_path / "files")
    with pytest.raises(InputError, match=r"the files of cells version 1 cannot be read from .*/files"):
        fetched(tmp_path)


def test_a_version_an_alias_or_a_model_that_was_deleted_is_refused_with_what_there_is(version, store, tmp_path):
    version()
    version()
    store.delete_model_version("cells", "2")
    with pytest.raises(InputError, match="no version of 'cells' is called 'champion'; it has 1"):
        fetched(tmp_path)
    with pytest.raises(InputError, match="'cells' has no version 2; it has 1"):
        fetched(tmp_path, 2)
    store.delete_registered_model("cells")
    with pytest.raises(InputError, match="no version of 'cells' is called 'champion'; no model is registered"):
        fetched(tmp_path)


# -- the project's path ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b #1 %41é", "q?x=1&y %20#z"])
def test_a_project_s_path_may_hold_what_means_something_in_a_uri(name, tmp_path, empty_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("AE_RUN", raising=False)
    project = tmp_path / name
    stores.copy(empty_store, project)
    (tmp_path / "picture.png").write_text("picture")
    record = opened(project)
    record.artifact(tmp_path / "picture.png", "report")
    record.end("FINISHED")
    assert [run.info.run_id for run in client_of(project).search_runs(["1"])] == [record.id]
    assert [path.parents[3].name for path in project.rglob("picture.png")] == ["mlartifacts"]
    assert {path.name for path in tmp_path.iterdir()} == {name, "picture.png"}
