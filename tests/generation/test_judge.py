"""Samples judged by a classifier that was trained on digits."""

from dataclasses import replace

import numpy as np
import pytest
from making import ArraySource, images

from ae_pipelines.generation import judge as judges
from ae_pipelines.generation.generator import CannotShow, Generator, prepared
from ae_pipelines.generation.options import GenerateOptions
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

OPTIONS = GenerateOptions.model_validate(
    {"judged": 300, "judge": {"steps": 100, "channels": [8, 16], "threads": 1, "learning_rate": 1e-2}}
)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return CheckpointFile(tmp_path_factory.mktemp("judge") / "judge.checkpoint")


@pytest.fixture(scope="module")
def judge(digits, kept):
    return judges.judge(digits, OPTIONS, kept)


@pytest.fixture
def generator(digits):
    """A generator of an untrained conditional gan."""
    recipe = Recipe.model_validate({"name": "cgan", "model": {"kind": "gan", "conditional": True, "latent_size": 4}})
    task = Task.plain(digits.spec, digits.classes())
    return prepared(TrainedModel.of(recipe.model.build(task), recipe, task, digits), digits, OPTIONS)


def copies_of_train_samples(generator, monkeypatch, shift: int):
    """Makes the generator give real samples of the class that is `shift` after the one it is asked for."""
    samples = generator.samples
    numbers = samples.label_numbers(samples.classes())
    train = samples.positions("train")

    def decode(self, z, asked):
        random = np.random.default_rng(1)
        rows = [random.choice(train[numbers[train] == (int(label) + shift) % 10]) for label in asked]
        return samples.take(np.array(rows)) / np.float32(255)

    monkeypatch.setattr(Generator, "decode", decode)


def test_real_samples_of_the_requested_class_score_as_train_samples_do(generator, judge, monkeypatch):
    copies_of_train_samples(generator, monkeypatch, shift=0)
    found = judges.judged(generator, judge)
    assert found["judge_accuracy"] > 0.9
    assert found["class_agreement"] > 0.9
    assert found["smallest_class_share"] > 0.07
    for name in ("precision", "recall", "density", "coverage"):
        assert found[name] == pytest.approx(found[f"train_{name}"], abs=0.12)


def test_samples_of_another_class_than_the_requested_one_do_not_agree(generator, judge, monkeypatch):
    copies_of_train_samples(generator, monkeypatch, shift=1)
    assert judges.judged(generator, judge)["class_agreement"] < 0.1


def test_what_an_untrained_generator_makes_covers_nothing(generator, judge):
    found = judges.judged(generator, judge)
    assert found["coverage"] < 0.2
    assert found["smallest_class_share"] < 0.02
    assert found["train_coverage"] > 0.7


def test_where_only_some_classes_are_requested_measures_are_about_them(generator, judge, monkeypatch):
    some = replace(generator, options=OPTIONS.model_copy(update={"classes": ("3", "5")}))
    copies_of_train_samples(some, monkeypatch, shift=0)
    found = judges.judged(some, judge)
    assert found["smallest_class_share"] == pytest.approx(0.5, abs=0.1)
    for name in ("recall", "coverage"):
        assert found[name] == pytest.approx(found[f"train_{name}"], abs=0.15)


def test_classes_that_hardly_any_test_sample_has_are_not_measured(generator, judge, monkeypatch):
    numbers = judge.classifier.numbers.copy()
    numbers[generator.samples.positions("test")] = -1
    blind = replace(judge, classifier=replace(judge.classifier, numbers=numbers))
    some = replace(generator, options=OPTIONS.model_copy(update={"classes": ("3", "5")}))
    with pytest.raises(CannotShow, match=r"of the classes 3, 5 there are \d+ and 0"):
        judges.judged(some, blind)


def test_a_class_that_no_sample_has_any_more_is_not_measured(generator, judge):
    one_less = replace(judge, classes=judge.classes[1:])
    with pytest.raises(CannotShow, match="samples of the classes that are made, but none is called 0"):
        judges.judged(generator, one_less)


def test_a_judge_is_trained_once_for_the_same_samples_and_options(digits, judge, kept, monkeypatch):
    def refuse(*_):
        raise AssertionError("trained again")

    monkeypatch.setattr(judges.supervised, "train", refuse)
    assert judges.judge(digits, OPTIONS, kept).accuracy() == judge.accuracy()
    other = OPTIONS.model_copy(update={"judge": OPTIONS.judge.model_copy(update={"steps": 101})})
    with pytest.raises(AssertionError, match="trained again"):
        judges.judge(digits, other, kept)


def test_without_labels_there_is_no_judge(kept, tmp_path):
    unlabelled = write_store(tmp_path, ArraySource(images(100, (1, 8, 8))))
    with pytest.raises(CannotShow, match="quality needs labels.*there are 0 classes and 0 labelled test samples"):
        judges.judge(unlabelled, OPTIONS, kept)
