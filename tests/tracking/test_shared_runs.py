"""One MLflow run for several processes, and for one that is tried again."""

import subprocess
import sys
import time

import pytest
import stores
from mlflow import MlflowClient

from ae_pipelines.tracking.runs import close_shared, open_run


@pytest.fixture(autouse=True)
def store(tmp_path, empty_store, monkeypatch):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(tmp_path))
    monkeypatch.setenv("AE_RUN", "nightly/2026-11-21")
    return MlflowClient(uri)


def opened(tmp_path, stage):
    return open_run(tmp_path, stage, time.time(), {"pipeline": stage})


def runs(store):
    return store.search_runs([experiment.experiment_id for experiment in store.search_experiments()])


def test_processes_of_one_name_write_to_one_run_that_stays_open_until_it_is_closed(store, tmp_path):
    for stage in ("ingest", "fit"):
        opened(tmp_path, stage).end("FINISHED")
    (run,) = runs(store)
    assert (run.info.run_name, run.info.status, run.data.tags["pipeline"]) == ("nightly", "RUNNING", "ingest+fit")
    assert close_shared(tmp_path, "nightly/2026-11-21", "FINISHED") == run.info.run_id
    assert runs(store)[0].info.status == "FINISHED"


def test_a_shared_run_is_called_by_its_group_and_by_what_its_processes_work_on(store, tmp_path):
    opened(tmp_path, "ingest").works_on({"source": "photos"})
    fit = opened(tmp_path, "fit")
    fit.works_on({"source": "photos", "recipe": "conv"})
    (run,) = runs(store)
    assert run.info.run_name == "nightly · photos · conv"
    assert (run.data.tags["source"], run.data.tags["recipe"]) == ("photos", "conv")
    assert fit.asked_for == "ingest+fit"
    assert abs(fit.started - time.time()) < 60


def test_what_an_earlier_try_recorded_is_not_recorded_twice_and_what_it_did_not_is(store, tmp_path):
    first = opened(tmp_path, "fit")
    first.parameters({"a": 1})
    for epoch in (1, 2):
        first.report({"loss": 1 / epoch, "seconds": time.time()}, epoch)
    first.end("KILLED")
    again = opened(tmp_path, "fit")
    again.parameters({"a": 1, "b": 2})
    for epoch in (1, 2, 3):
        again.report({"loss": 1 / epoch, "seconds": time.time()}, epoch)
    again.report({"accuracy": 0.5})
    again.report({"accuracy": 0.6})
    again.end("FINISHED")
    (run,) = runs(store)
    assert [point.step for point in store.get_metric_history(run.info.run_id, "loss")] == [1, 2, 3]
    assert [point.step for point in store.get_metric_history(run.info.run_id, "seconds")] == [1, 2, 3]
    assert run.data.metrics["accuracy"] == 0.6  # made anew from other data
    assert run.data.params == {"a": "1", "b": "2"}


def test_two_projects_that_use_one_server_do_not_write_to_one_run(store, tmp_path):
    for project in ("one", "other"):
        opened(tmp_path / project, "fit")
    assert [run.info.status for run in runs(store)] == ["RUNNING"] * 2


def test_the_error_of_an_earlier_try_does_not_stand_as_that_of_the_run(store, tmp_path):
    first = opened(tmp_path, "fit")
    first.tag("error", "out of memory")
    first.end("FAILED")
    assert runs(store)[0].info.status == "FAILED"
    opened(tmp_path, "fit")
    (run,) = runs(store)
    assert (run.info.status, run.data.tags["earlier_error"]) == ("RUNNING", "out of memory")
    assert "error" not in run.data.tags


def test_the_next_run_of_a_group_closes_one_that_was_left_and_leaves_other_groups_alone(store, tmp_path, monkeypatch):
    for name in ("nightly/1", "weekly/1", "nightly/2"):
        monkeypatch.setenv("AE_RUN", name)
        opened(tmp_path, "fit").end("FINISHED")
    found = {run.data.tags["ae_run"]: run.info.status for run in runs(store)}
    assert found == {"nightly/1": "KILLED", "weekly/1": "RUNNING", "nightly/2": "RUNNING"}


def test_a_shared_run_between_two_processes_is_not_taken_for_an_abandoned_one(store, tmp_path, monkeypatch):
    code = (
        "import time; from pathlib import Path; from ae_pipelines.tracking.runs import open_run;"
        f"open_run(Path({str(tmp_path)!r}), 'fit', time.time(), {{}}).end('FINISHED')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    monkeypatch.delenv("AE_RUN")
    opened(tmp_path, "other").end("FINISHED")
    assert sorted(run.info.status for run in runs(store)) == ["FINISHED", "RUNNING"]


def test_the_command_that_closes_a_run_says_what_it_did(store, tmp_path):
    def close(name):
        command = [sys.executable, "-m", "ae_pipelines.tracking", f"--project-path={tmp_path}", f"--run={name}"]
        return subprocess.run([*command, "--status=FAILED"], capture_output=True, text=True, check=True).stdout

    opened(tmp_path, "fit").end("FINISHED")
    assert "is FAILED" in close("nightly/2026-11-21")
    assert "nothing was recorded" in close("nightly/other")
    assert runs(store)[0].info.status == "FAILED"
