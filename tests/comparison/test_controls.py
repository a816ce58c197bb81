"""Latents beside what needs no training."""

import numpy as np
import pandas as pd
import pytest
from making import ArraySource

from ae_pipelines.base.errors import TooFewLabels
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.comparison import controls
from ae_pipelines.comparison.controls import PATCHES, PCA, RAW, UNTRAINED
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.pipelines.classify import nodes
from ae_pipelines.project import summary
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.trained import TrainedModel

OPTIONS = ClassifyOptions(draws=2)
METRICS = {
    **{"train_rows": 1412.0, "test_rows": 385.0, "accuracy": 0.97, "error_with_100_labels": 8.0},
    **{"pca_accuracy": 0.94, "pca_error_with_100_labels": 11.0},
    **{"raw_values_accuracy": 0.96, "raw_values_error_with_100_labels": 10.0},
    **{"patches_accuracy": 0.9, "patches_error_with_100_labels": 7.5},
}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch):
    monkeypatch.setattr(controls, "ROWS", 200)
    monkeypatch.setattr("ae_pipelines.comparison.untrained.CENTROIDS", 16)


@pytest.fixture(scope="module")
def untrained(digits, recipe):
    task = recipe.task(digits)
    return TrainedModel.of(recipe.model.build(task), recipe, task, digits)


def latents(samples, vectors, labels=None):
    table = samples.index[["sample_id", "split", "label"]]
    table = table if labels is None else table.assign(label=labels)
    return LatentsInMemory(table, np.asarray(vectors, np.float32), {"encoder_sha256": "e" * 64})


def shown_classes(samples):
    """Latents that say the class outright, and others that are noise."""
    numbers = samples.label_numbers(samples.classes())
    noise = np.random.default_rng(0).normal(size=(len(samples), 3))
    return latents(samples, np.eye(10)[numbers]), latents(samples, noise)


def test_every_control_is_judged_from_the_same_few_rows(digits, untrained):
    ours, pca = shown_classes(digits)
    found = controls.compared(digits, ours, pca, untrained, OPTIONS)
    metrics = found["metrics"]
    right = controls.by_name(metrics)
    assert (metrics["train_rows"], metrics["test_rows"], found["left_out"]) == (200, 200, [])
    assert list(right) == ["latents", PCA, RAW, UNTRAINED, PATCHES]
    assert right["latents"] == {"accuracy": 100, "error_with_100_labels": 100}
    assert right[PCA]["accuracy"] < 25 < right[UNTRAINED]["accuracy"] < right[RAW]["accuracy"] < 100
    assert right[RAW]["error_with_100_labels"] > 75
    assert {controls.best_of(right, measure) for measure in controls.MEASURES} == {RAW}


def test_what_is_too_large_or_cannot_be_is_left_out_with_a_word(digits, untrained, monkeypatch):
    monkeypatch.setattr(controls, "LARGE", 60)
    monkeypatch.setattr(controls, "ROWS_OF_LARGE", 50)
    ours, pca = shown_classes(digits)
    found = controls.compared(digits, ours, pca, None, OPTIONS)
    assert found["left_out"] == [
        "raw values: 64 values a sample are more than 60",
        "untrained encoder: there is no trained model",
    ]
    assert found["metrics"]["test_rows"] == 50
    assert list(controls.by_name(found["metrics"])) == ["latents", PCA, PATCHES]


def test_patches_are_left_out_where_samples_are_no_images(tmp_path):
    draw = np.random.default_rng(0)
    splits = ["train", "train", "test"] * 20
    samples = write_store(tmp_path, ArraySource(draw.random((60, 5), np.float32), ["a", "b"] * 30, splits))
    vectors = latents(samples, draw.normal(size=(60, 2)))
    found = controls.compared(samples, vectors, vectors, None, OPTIONS)
    assert any(why.startswith("patches: patches takes images") for why in found["left_out"])
    assert list(controls.by_name(found["metrics"])) == ["latents", PCA, RAW]


def test_without_samples_there_is_pca_alone(digits):
    found = controls.compared(None, *shown_classes(digits), None, OPTIONS)
    assert list(controls.by_name(found["metrics"])) == ["latents", PCA]


def test_without_labels_nothing_can_be_judged(digits):
    bare = latents(digits, np.zeros((len(digits), 2)), labels=pd.Series([None] * len(digits), dtype=object))
    with pytest.raises(TooFewLabels):
        controls.compared(digits, bare, bare, None, OPTIONS)


def test_the_best_control_may_be_another_one_from_few_labels():
    right = controls.by_name(METRICS)
    assert controls.best_of(right, "accuracy") == RAW
    assert controls.best_of(right, "error_with_100_labels") == PATCHES
    assert controls.best_of({"latents": {"accuracy": 1.0}}, "accuracy") is None


def test_the_closing_table_shows_every_control_and_marks_the_best():
    lines = [line.split() for line in summary.TABLES["controls"](METRICS)]
    assert lines[1][-4:] == ["1,412", "labels", "100", "labels"]
    assert ["latents", "97.0", "92.0"] in lines
    assert ["PCA", "94.0", "89.0"] in lines
    assert ["raw", "values", "96.0", "*", "90.0"] in lines
    assert ["patches", "90.0", "92.5", "*"] in lines
    assert lines[-1] == ["*", "the", "best", "control"]
    few = {name: value for name, value in METRICS.items() if "error" not in name}
    assert ["raw", "values", "96.0", "*"] in [line.split() for line in summary.TABLES["controls"](few)]


def test_a_run_may_do_without_them_and_does_without_labels(digits):
    ours, pca = shown_classes(digits)
    off = nodes.compare(ours, object(), pca, ClassifyOptions(controls=False), digits, None)
    assert (nodes.measure_controls(off), off["left_out"]) == ({}, [])
    skipped = Skipped("there are no labels", "e" * 64)
    assert nodes.compare(ours, skipped, pca, ClassifyOptions(), digits, None) is skipped
    assert nodes.measure_controls(skipped) is skipped
