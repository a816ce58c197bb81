"""What each stage needs of samples is known before any training."""

import numpy as np
import pytest
from making import ArraySource, images

from ae_pipelines.base.errors import InputError, TooFewLabels
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.samples.ingest import write_store

SPLITS = ["train", "train", "test"] * 20


def store(tmp_path, labels=None, splits=SPLITS, values=None):
    values = images(60) if values is None else values
    return write_store(tmp_path, ArraySource(values, labels=labels, splits=splits))


@pytest.mark.parametrize(
    ("batch_size", "splits", "message"),
    [
        (64, SPLITS, r"\d+ train samples \(40 less those held out for validation\) do not fill one batch of 64"),
        (8, ["train"] * 60, "none of the 60 samples are in the test split"),
        (8, ["test"] * 60, "none of the 60 samples are in the train split"),
    ],
)
def test_training_needs_a_batch_to_learn_from_and_samples_to_judge_by(tmp_path, recipe, batch_size, splits, message):
    recipe = recipe.model_copy(update={"loader": recipe.loader.model_copy(update={"batch_size": batch_size})})
    with pytest.raises(InputError, match=message):
        recipe.check_samples(store(tmp_path, splits=splits))


@pytest.mark.parametrize(
    ("labels", "values", "clusters", "message"),
    [
        (None, np.repeat(images(1), 60, axis=0), None, "only 1 different contents, too few for 2 groups"),
        (["a"] * 60, np.repeat(images(1), 60, axis=0), None, "only 1 different contents, too few for 2 groups"),
        (None, None, 60, "60 samples cannot make 60 groups"),
        (None, np.repeat(images(3), 20, axis=0), 4, "only 3 different contents, too few for 4 groups"),
    ],
)
def test_grouping_needs_more_samples_than_groups_and_as_many_different_ones(
    tmp_path, labels, values, clusters, message
):
    with pytest.raises(InputError, match=message):
        ClusterOptions(clusters=clusters).check_samples(store(tmp_path, labels, values=values))


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        (None, SPLITS, "at least two classes; none of the 40 train samples has a label: give labels"),
        (["a"] * 60, SPLITS, "found 40 labelled train samples of 1 class .'a'."),
        (["a", "a", "a"] * 19 + ["a", "b", "a"], SPLITS, "1 class .'a'. and 1 of a class of their own, .* .'b'."),
        (["a", "b", None] * 20, SPLITS, "no labelled samples in the test split"),
        ([None, None, "a"] * 10 + [None, None, "b"] * 10, SPLITS, "none of the 40 train samples has a label"),
    ],
)
def test_a_classifier_needs_labels_to_learn_from_and_to_be_judged_by(tmp_path, labels, splits, message):
    with pytest.raises(TooFewLabels, match=message):
        ClassifyOptions().check_samples(store(tmp_path, labels, splits))


def test_enough_is_enough(tmp_path, recipe):
    enough = store(tmp_path, ["a", "b", "a", "b", "a", "b"] * 10, values=np.repeat(images(12), 5, axis=0))
    recipe.model_copy(update={"loader": recipe.loader.model_copy(update={"batch_size": 8})}).check_samples(enough)
    ClusterOptions(clusters=12).check_samples(enough)
    ClusterOptions().check_samples(store(tmp_path / "unlabelled", values=np.repeat(images(3), 20, axis=0)))
    ClassifyOptions().check_samples(enough)
    ClassifyOptions().check_samples(store(tmp_path / "typo", ["a", "b", "a"] * 19 + ["a", "b", "c"]))
