"""A new version and the champion, on rows of which neither has learned."""

from typing import Any

import numpy as np
import pytest
from versions import assembled, changed

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import class_metrics, classification
from ae_pipelines.latents.file import read_latents
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.scales import Scale
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources.array import ArrayFile
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.standardise import STATISTICS
from ae_pipelines.scoring.judging import compared, squares
from ae_pipelines.scoring.model import TRAIN_ROWS, ScoringModel
from ae_pipelines.scoring.promotion import Compared, PromoteOptions, objections
from ae_pipelines.training.loop import train

SOURCE_ID = "another store"
ALL = PromoteOptions(
    metrics={
        "classify/accuracy": "higher",
        "embed/reconstruction_error": "lower",
        "cluster/nmi": "higher",
        "detect/auroc": "higher",
    }
)
"""A metric of each stage."""


@pytest.fixture(scope="module")
def on_digits(digits, recipe, tmp_path_factory) -> ScoringModel:
    metrics = {"classify/accuracy": 0.5, "embed/reconstruction_error": 0.5}
    return assembled(tmp_path_factory.mktemp("on_digits"), digits, recipe, metrics)


def of_other_samples(models: ScoringModel, tmp_path, **changes: Any) -> ScoringModel:
    """The same models, as if other samples had taught them."""
    return changed(models, tmp_path / "other", samples_id=SOURCE_ID, **changes)


def test_of_the_same_samples_recorded_numbers_are_compared(on_digits, digits, tmp_path):
    champion = changed(on_digits, tmp_path / "champion", metrics={"classify/accuracy": 0.7})
    found = compared(on_digits, champion, digits, ALL)
    assert (found.new["classify/accuracy"], found.champion["classify/accuracy"]) == (0.5, 0.7)
    assert not found.anew


def test_of_other_samples_no_recorded_number_is_used(on_digits, digits, tmp_path):
    champion = of_other_samples(on_digits, tmp_path, metrics={"classify/accuracy": 1.0})
    found = compared(on_digits, champion, digits, ALL)
    assert found.anew
    assert found.new == found.champion  # they are the same models
    assert {"classify/accuracy", "embed/blurred_error", "cluster/nmi", "cluster/silhouette"} <= {*found.new}
    assert {*compared(on_digits, champion, digits, PromoteOptions(metrics={"cluster/nmi": "higher"})).new} <= {
        *("cluster/nmi", "cluster/ari", "cluster/accuracy", "cluster/silhouette")
    }
    assert 0.6 < found.new["classify/accuracy"] < 1
    assert f"anew on {digits.split_size('test')} test samples" in found.how
    assert not objections(on_digits.contract, champion.contract, PromoteOptions(), found)


def test_numbers_measured_anew_are_those_of_the_stages(on_digits, digits, tmp_path):
    latents = read_latents(on_digits.folder.parent / "latents.parquet")
    found = compared(on_digits, of_other_samples(on_digits, tmp_path), digits, ALL).new
    assert found["embed/reconstruction_error"] == pytest.approx(latents.errors("test")["reconstruction_error"])
    assert found["embed/blurred_error"] == pytest.approx(latents.errors("test")["blurred_error"])
    classifier = on_digits.classifier
    assert classifier is not None
    stage = class_metrics.classification_metrics(latents, classifier, classification.ClassifyOptions())
    assert found["classify/accuracy"] == pytest.approx(stage["accuracy"])


def test_a_row_that_the_champion_may_have_learned_from_does_not_count(on_digits, digits, tmp_path):
    champion = of_other_samples(on_digits, tmp_path)
    contents = digits.index["sha256"].iloc[digits.positions("test")]
    learned = list(contents[:100])
    np.save(champion.folder / TRAIN_ROWS, np.sort(np.array([int(sha[:16], 16) for sha in learned], np.uint64)))
    champion = changed(champion, tmp_path / "own", splits="source")
    assert champion.may_have_learned(list(contents)).tolist() == [True] * 100 + [False] * (len(contents) - 100)
    assert f"on {len(contents) - 100} test samples" in compared(on_digits, champion, digits, ALL).how


def test_a_champion_that_has_learned_from_all_test_rows_or_does_not_say_cannot_be_compared(on_digits, digits, tmp_path):
    with pytest.raises(InputError, match="before versions kept what they had learned from"):
        compared(on_digits, of_other_samples(on_digits, tmp_path, splits=None), digits, ALL)
    champion = changed(on_digits, tmp_path / "all", samples_id=SOURCE_ID)
    every = digits.index["sha256"]
    np.save(champion.folder / TRAIN_ROWS, np.sort(np.array([int(sha[:16], 16) for sha in every], np.uint64)))
    champion = changed(champion, tmp_path / "all of it", splits="source")
    with pytest.raises(InputError, match="has learned from every test sample"):
        compared(on_digits, champion, digits, ALL)


def test_without_the_samples_nothing_is_measured_anew(on_digits, tmp_path):
    with pytest.raises(InputError, match="not at hand"):
        compared(on_digits, of_other_samples(on_digits, tmp_path), None, ALL)


def test_contents_of_the_train_split_are_kept_where_the_source_says_what_it_is(recipe, digits, tmp_path):
    class Halves:
        name = "halves"

        def spec(self):
            return digits.spec

        def count(self):
            return 200

        def blocks(self):
            ids = [f"{row:03d}" for row in range(200)]
            splits = ["train" if row < 150 else "test" for row in range(200)]
            labels = list(digits.index["label"][:200])
            yield Block(values=digits.take(np.arange(200)), ids=ids, labels=labels, splits=splits)

    samples = write_store(tmp_path / "store", Halves())
    models = assembled(tmp_path / "of_halves", samples, recipe)
    contents = list(samples.index["sha256"])
    assert models.contract.splits == "source"
    assert models.may_have_learned(contents).tolist() == (samples.index["split"] == "train").tolist()


def test_where_splits_follow_from_content_that_alone_says_what_was_learned(on_digits, digits):
    contents = list(digits.index["sha256"])
    assert on_digits.contract.splits == "content"
    assert TRAIN_ROWS not in on_digits.contract.files
    expected = [split_by_content(sha) == "train" for sha in contents]
    assert on_digits.may_have_learned(contents).tolist() == expected


def test_errors_of_a_champion_on_another_scale_are_in_the_units_of_the_samples_at_hand(recipe, digits, tmp_path):
    """The same models behind twice the standard deviation give the same pictures."""
    np.save(tmp_path / "rows.npy", digits.read().reshape(len(digits), -1).astype(np.float32))
    samples = write_store(tmp_path / "rows", ArrayFile(path=tmp_path / "rows.npy", layout="NF"))
    trained = train(samples, recipe)[0]
    values = samples.take(samples.positions("test"))
    (own,) = squares(trained, samples.spec, None, values)
    done = {name: list(np.array(samples.spec.preprocessing[name])) for name in STATISTICS}
    wider = {"mean": done["mean"], "standard_deviation": [2 * value for value in done["standard_deviation"]]}
    here = samples.spec.model_copy(update={"preprocessing": samples.spec.preprocessing | wider})
    (in_their_units,) = squares(trained, here, Scale.between(here, samples.spec), values / 2)
    np.testing.assert_allclose(in_their_units, own / 4, rtol=1e-4)


def test_a_metric_that_is_recorded_but_not_measured_anew_keeps_the_champion():
    class Of:
        metrics = {"classify/knn_accuracy": 0.9}
        kinds = {"classifier": "knn"}

    found = Compared({"classify/accuracy": 0.9}, {"classify/accuracy": 0.9}, "", anew=True)
    options = PromoteOptions(metrics={"classify/knn_accuracy": "higher"})
    (said,) = objections(Of, Of, options, found)  # type: ignore[arg-type]
    assert said.startswith("classify/knn_accuracy: the new version was not measured; known: classify/accuracy")
