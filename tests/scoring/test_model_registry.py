"""Versions, the alias, and that nothing altered is opened."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError
from mlflow import MlflowClient
from scoring.places import IMAGES, KEPT_BACK, LABELS

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.promotion import Compared, PromoteOptions, objections, unlike_samples
from ae_pipelines.tracking.versions.registry import ModelRegistry

NAME = "array"


@pytest.fixture
def registry(images):
    return ModelRegistry(images.folder, NAME)


def altered(path: Path) -> bytes:
    """One bit of the file is another; gives what it was."""
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return before


def test_a_flipped_bit_in_any_registered_file_is_noticed_and_the_file_is_named(registry, images):
    found = MlflowClient(images.registry).get_model_version_by_alias(NAME, "champion")
    folder = Path(found.source.removeprefix("file://"))
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".seal")]
    assert {"MLmodel", "scorer.onnx", "weights.safetensors", "groups.skops"} <= {path.name for path in files}
    for path in files:
        before = altered(path)
        try:
            with pytest.raises(InputError, match=path.name.replace(".", r"\.")):
                registry.fetch(None, "champion")
        finally:
            path.write_bytes(before)
    registry.fetch(None, "champion")


def test_a_missing_or_an_added_file_is_noticed(registry, images, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(images.data / "06_models" / "scoring_model", folder)
    ScoringModel(folder)
    (folder / "more.txt").write_text("x")
    with pytest.raises(InputError, match=r"more\.txt"):
        ScoringModel(folder)
    (folder / "more.txt").unlink()
    (folder / "groups.skops").unlink()
    with pytest.raises(InputError, match=r"groups\.skops"):
        ScoringModel(folder)


def test_a_contract_that_was_edited_is_noticed(images, tmp_path):
    folder = tmp_path / "models"
    shutil.copytree(images.data / "06_models" / "scoring_model", folder)
    contract = json.loads((folder / "contract.json").read_text())
    (folder / "contract.json").write_text(json.dumps(contract | {"value_range": [0, 1]}))
    with pytest.raises(InputError, match="altered"):
        ScoringModel(folder)


def test_what_is_not_registered_is_said_with_what_is(registry, images):
    with pytest.raises(InputError, match="no version 7; it has 1"):
        registry.fetch(7, "champion")
    with pytest.raises(InputError, match="called 'best'"):
        registry.fetch(None, "best")
    with pytest.raises(InputError, match="registered are array"):
        ModelRegistry(images.folder, "other").fetch(None, "champion")


def test_training_again_on_the_same_data_gives_two_runs_and_one_version(rows):
    source = {"name": "array", "path": str(rows.train_file), "layout": "NF", "key": "values", "labels": "labels"}
    rows.run("train", source=source)
    client = MlflowClient(rows.registry)
    runs = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert sum(run.data.tags["pipeline"] == "train" for run in runs) == 2
    assert [version.version for version in client.search_model_versions(f"name='{NAME}'")] == [1]
    registration = json.loads((rows.data / "08_reporting" / "registration.json").read_text())
    assert (registration["new"], registration["version"]) == (False, 1)


def test_a_worse_version_is_registered_but_not_promoted_and_it_is_said_why(images):
    source = {"name": "array", "path": str(images.train_file), "layout": "NHW", "key": "values", "labels": "labels"}
    recipe = {"name": "dense", "training": {"epochs": 1, "threads": 1}, "model": {"latent_size": 2}}
    images.run("train", source=source, recipe=recipe)
    registration = json.loads((images.data / "08_reporting" / "registration.json").read_text())
    assert (registration["version"], registration["promoted"], registration["champion"]) == (2, False, 1)
    assert "classify/accuracy" in registration["why"]
    assert MlflowClient(images.registry).get_model_version_by_alias(NAME, "champion").version == 1
    images.score(IMAGES[:KEPT_BACK], score={"version": 2}, name="pinned")
    assert images.batches()[0].about["version"] == 2


def test_models_of_more_data_may_become_the_champion_though_their_statistics_differ(rows, tmp_path):
    flat = IMAGES.reshape(len(IMAGES), -1).astype(np.float32)
    np.savez(tmp_path / "more.npz", values=flat, labels=LABELS)
    source = {"path": str(tmp_path / "more.npz"), "layout": "NF", "key": "values", "labels": "labels"}
    worse = {"promote": {"tolerance": 0.5}}
    rows.run("train", source={"name": "array", **source}, **worse)
    registration = json.loads((rows.data / "08_reporting" / "registration.json").read_text())
    assert (registration["version"], registration["promoted"]) == (2, True), registration["why"]
    assert "both measured anew on" in registration["why"]
    numbers = registration["compared"]["metrics"]["classify/accuracy"]
    assert 0 < numbers["version"] <= 1
    assert 0 < numbers["champion"] <= 1


def test_models_that_are_made_in_the_same_run_as_others_do_not_replace_their_files(images, monkeypatch):
    monkeypatch.setenv("AE_RUN", "ae_train/today")
    registry = ModelRegistry(images.folder, NAME)
    for seed in (1, 2):
        images.run("cluster", cluster={"clusters": 3 + seed})
        images.run("export", "register", model_name=NAME)
    assert {registry.fetch(number, "").version.number for number in (1, 2, 3)} == {1, 2, 3}


def test_models_are_not_called_as_a_source_that_their_samples_did_not_come_from(images):
    with pytest.raises((InputError, DatasetError), match="came from 'train', the source that is picked is 'digits'"):
        images.run("register")


def test_stages_that_were_not_run_again_are_not_registered_with_others(images):
    images.run("cluster", cluster={"clusters": 4})
    with pytest.raises((InputError, DatasetError), match="run export again"):
        images.run("register")


def test_a_champion_that_cannot_be_opened_stays_and_does_not_keep_others_from_being_registered(images):
    MlflowClient(images.registry).set_model_version_tag(NAME, "1", "ae.files", "{}")
    images.run("cluster", cluster={"clusters": 4})
    images.run("export", "register", model_name=NAME)
    registration = json.loads((images.data / "08_reporting" / "registration.json").read_text())
    assert (registration["version"], registration["champion"]) == (2, 1)
    assert "altered" in registration["why"]


def objections_to(new, champion, options=None):
    """Of versions that were trained on the same samples."""
    found = Compared(new.metrics, champion.metrics, "")
    return objections(new, champion, options or PromoteOptions(), found)


def test_a_champion_that_was_damaged_is_replaced_by_the_same_models(images):
    (weights,) = Path(champion_of(images).source.removeprefix("file://")).rglob("autoencoder/weights.safetensors")
    altered(weights)
    images.run("register", model_name=NAME)
    registration = json.loads((images.data / "08_reporting" / "registration.json").read_text())
    assert (registration["version"], registration["promoted"]) == (2, True)
    assert int(champion_of(images).version) == 2


def champion_of(place):
    return MlflowClient(place.registry).get_model_version_by_alias(NAME, "champion")


class TestObjections:
    @pytest.fixture
    def champion(self, trained_on_images):
        contract = ScoringModel(trained_on_images.data / "06_models" / "scoring_model").contract
        return contract.model_copy(update={"metrics": {"classify/accuracy": 0.9, "embed/reconstruction_error": 0.01}})

    @pytest.mark.parametrize(
        ("accuracy", "error", "tolerance", "said"),
        [
            (0.9, 0.01, 0.0, 0),
            (0.95, 0.005, 0.0, 0),
            (0.899, 0.01, 0.0, 1),
            (0.899, 0.011, 0.0, 2),
            (0.899, 0.01, 0.01, 0),
        ],
    )
    def test_a_version_may_take_the_place_if_it_is_no_worse_on_any_metric(
        self, champion, accuracy, error, tolerance, said
    ):
        metrics = {"classify/accuracy": accuracy, "embed/reconstruction_error": error}
        new = champion.model_copy(update={"metrics": metrics})
        assert len(objections_to(new, champion, PromoteOptions(tolerance=tolerance))) == said

    def test_one_of_other_samples_cannot_be_compared(self, champion):
        spec = champion.samples.model_copy(update={"shape": (1, 28, 28)})
        assert "cannot be compared" in unlike_samples(champion.model_copy(update={"samples": spec}), champion)

    def test_the_range_of_the_data_may_differ(self, champion):
        new, old = (champion.model_copy(update={"samples": champion.samples.with_range(0, high)}) for high in (9, 99))
        assert unlike_samples(new, old) is None

    def test_what_was_learned_of_the_columns_of_a_table_may_differ_but_not_the_columns(self, champion):
        def of_columns(mean, *names):
            done = {"columns": list(names), "treatments": [{"column": name, "mean": mean} for name in names]}
            spec = champion.samples.model_copy(update={"preprocessing": done | {"left_out": {}}})
            return champion.model_copy(update={"samples": spec})

        assert unlike_samples(of_columns(1.0, "a", "b"), of_columns(2.0, "a", "b")) is None
        assert "cannot be compared" in unlike_samples(of_columns(1.0, "a", "b"), of_columns(1.0, "a", "c"))

    def test_one_that_was_not_measured_is_no_better(self, champion):
        new = champion.model_copy(update={"metrics": {"classify/accuracy": 1.0}})
        (said,) = objections_to(new, champion)
        assert "was not measured" in said

    def test_one_without_a_classifier_is_held_against_one_with_only_where_it_would_take_its_place(self, champion):
        kinds = {part: kind for part, kind in champion.kinds.items() if part != "classifier"}
        without = champion.model_copy(update={"kinds": kinds, "metrics": {"embed/reconstruction_error": 0.01}})
        (said,) = objections_to(without, champion)
        assert said.startswith("classify/accuracy: the new version has no classifier, the champion has one")
        assert not objections_to(champion, without)
        worse = without.model_copy(update={"metrics": {"embed/reconstruction_error": 0.02}})
        (said,) = objections_to(worse, without)
        assert said.startswith("embed/reconstruction_error: 0.02, the champion has 0.01")

    def test_a_default_metric_that_neither_has_is_passed_over(self, champion):
        without = champion.model_copy(update={"metrics": {"classify/accuracy": 0.9}})
        assert not objections_to(without, without)

    def test_a_metric_that_is_asked_for_but_not_measured_is_told_with_what_there_is(self, champion):
        (said,) = objections_to(champion, champion, PromoteOptions(metrics={"classify/acuracy": "higher"}))
        assert "Did you mean 'classify/accuracy'" in said
