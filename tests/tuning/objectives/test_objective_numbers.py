"""Numbers that objectives must give, by hand."""

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.tuning.harmless import BothWays, harmless
from ae_pipelines.tuning.objectives import built
from ae_pipelines.tuning.objectives.classifier import MOST, held_out_right, labelled_rows
from ae_pipelines.tuning.objectives.rankme import rankme

POINTS = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


@pytest.mark.parametrize(
    ("spectrum", "rank"),
    [((1, 1, 1), 3.0), ((5, 0, 0), 1.0), ((3, 1, 0), 4 / 3**0.75)],  # exp(-3/4 log 3/4 - 1/4 log 1/4)
)
def test_rank_follows_from_the_spectrum_wherever_the_mean_is(spectrum, rank):
    directions = np.linalg.qr(np.random.default_rng(1).normal(size=(40, 3)) - 0.0)[0]
    directions -= directions.mean(axis=0)
    directions = np.linalg.qr(directions)[0]  # orthogonal, of mean 0
    assert rankme(directions * spectrum + 7) == pytest.approx(rank)


def test_neighbours_all_stay_where_nothing_changes_and_latents_are_only_moved_apart():
    assert BothWays(POINTS, POINTS).overlap == 1
    assert BothWays(100 * POINTS, 100 * POINTS).overlap == 1


def test_neighbours_that_stay_are_counted():
    line = np.arange(100, dtype=np.float32)[:, None] ** 1.01  # no two neighbours are equally far
    ten_further = np.append(line[10:], line[:10], axis=0)
    assert BothWays(line, line).overlap == 1
    assert BothWays(line, ten_further).overlap < 0.05
    halves = np.append(line[:50], line[50:] * 0, axis=0)  # the latter half becomes what the first sample is
    assert BothWays(line, halves).overlap == pytest.approx(0.5)


def test_images_are_moved_by_a_share_of_their_side_but_by_a_pixel_at_least():
    shifts = [harmless(SampleSpec(shape=(1, side, side), dtype="uint8"))[0].check()["shift"] for side in (8, 100)]
    assert shifts == [1.0, pytest.approx(7)]


def test_of_vectors_some_values_are_replaced():
    assert harmless(SampleSpec(shape=(20,), dtype="float32"))[0].kind == "cut_mix"


def test_classes_that_lie_apart_are_found_and_noise_is_not():
    labels = np.array(["a", "b"])[np.arange(100) % 2]
    noise = np.random.default_rng(2).normal(size=(100, 3)).astype(np.float32)
    apart = noise + 20 * (labels == "a")[:, None]
    assert held_out_right(apart, labels, 0).mean() == 1
    assert 0.3 < held_out_right(noise, labels, 0).mean() < 0.7


def latents(labels, splits):
    table = pd.DataFrame({"sample_id": range(len(labels)), "split": splits, "label": labels, "seen": False})
    return LatentsInMemory(table, np.zeros((len(labels), 2), np.float32), {})


def test_what_judges_comes_before_what_was_learned_from():
    splits = np.array(["train"] * MOST + ["test"] * 50)
    rows = labelled_rows(latents(np.array(["a", "b"])[np.arange(MOST + 50) % 2], splits))
    assert len(rows) == MOST
    assert (splits[rows] == "test").sum() == 50


def test_classes_of_too_few_samples_and_samples_without_a_label_do_not_count():
    labels = ["a"] * 10 + ["b"] * 5 + ["rare"] * 4 + [None] * 7
    assert labelled_rows(latents(labels, ["train"] * len(labels))).tolist() == [*range(15)]


@pytest.mark.parametrize(
    ("name", "higher"),
    [
        ("classify/accuracy", True),
        ("few_labels/error_with_20_labels", False),
        ("reconstruction/mse", False),
        ("neighbours/same_class", True),
        ("fit/test/vae/kl", False),
        ("fit/nll", False),
        ("fit/restored_error", False),
        ("fit/times_lower", True),
        ("fit/latent_effective_rank", True),
        ("fit/one_shot_accuracy", True),
    ],
)
def test_which_way_a_metric_is_better(name, higher):
    assert built(name).higher_is_better is higher


def test_neighbours_that_stay_count_by_the_root_of_the_effective_rank(monkeypatch):
    class Both:
        overlap = 0.5

    class Made:
        both_ways = Both()
        vectors = np.eye(5)[np.arange(100) % 5]  # 4 directions of equal variance once they are centred

    found = built("overlap_rankme").measures(Made())
    assert found["overlap_rankme"] == pytest.approx(0.5 * found["rankme"] ** 0.5)
