"""Classifiers trained from scratch, and their curve beside that of latents."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from making import ArraySource, images

from ae_pipelines.base.errors import InputError
from ae_pipelines.comparison import contrast, supervised
from ae_pipelines.comparison.contrast import ContrastOptions
from ae_pipelines.comparison.supervised import Repeated, Supervised
from ae_pipelines.downstream import few_labels
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.plots import contrast as plots
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.batches import Batches, Finish

SMALL = ContrastOptions(channels=[16, 32], steps=200, dropout=0.2, learning_rate=1e-2, threads=1, device="cpu")


def numbers_of(samples):
    return samples.label_numbers(samples.classes())


def latents_of(samples, **metadata):
    """Pixels as latents."""
    table = samples.index[["sample_id", "split", "label"]]
    vectors = samples.read().reshape(len(samples), -1).astype(np.float32) / 255
    return LatentsInMemory(table, vectors, {"samples_id": samples.id, "encoder_sha256": "pixels"} | metadata)


def curve(*errors, labels=(10, 100, 1000)):
    return [{"labels": n, "error_mean": e, "error_sd": 0.0, "draws": 1} for n, e in zip(labels, errors, strict=True)]


# -- one classifier --------------------------------------------------------------------------------------


def test_digits_are_told_apart_after_all_labels_better_than_after_few(digits):
    numbers, train, test = numbers_of(digits), digits.positions("train"), digits.positions("test")
    few = supervised.train(digits, numbers, train[::40], SMALL).error(test)
    every = supervised.train(digits, numbers, train, SMALL).error(test)
    assert every < 0.06 < few < 0.5


def test_samples_that_are_not_given_teach_nothing(digits):
    numbers, rows, test = numbers_of(digits), digits.positions("train")[:100], digits.positions("test")[:50]
    others = np.setdiff1d(np.arange(len(numbers)), rows)
    scrambled = numbers.copy()
    scrambled[others] = np.random.default_rng(0).permutation(numbers[others])
    short = SMALL.model_copy(update={"steps": 20})
    first, second = (supervised.train(digits, known, rows, short) for known in (numbers, scrambled))
    np.testing.assert_allclose(first.embedding(test), second.embedding(test), atol=1e-5)
    scrambled[rows] = np.roll(numbers[rows], 1)
    third = supervised.train(digits, scrambled, rows, short)
    assert not np.allclose(first.embedding(test), third.embedding(test), atol=1e-2)


def test_the_seed_decides_on_everything_and_the_global_one_on_nothing(digits):
    numbers, rows, test = numbers_of(digits), digits.positions("train")[:100], digits.positions("test")[:50]
    short = SMALL.model_copy(update={"steps": 20})
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = supervised.train(digits, numbers, rows, short, seed=5).embedding(test)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    np.testing.assert_allclose(supervised.train(digits, numbers, rows, short, seed=5).embedding(test), first, atol=1e-5)
    assert not np.allclose(supervised.train(digits, numbers, rows, short, seed=6).embedding(test), first, atol=1e-2)


class AlwaysTheFirst(torch.nn.Module):
    def forward(self, x):
        return torch.tensor([1.0, 0.0, 0.0]).expand(len(x), 3)


def test_the_error_is_the_share_of_wrong_classes(digits):
    numbers = np.zeros(len(digits), np.int64)
    numbers[[3, 7, 1100]] = 1
    assert Supervised(AlwaysTheFirst(), digits, numbers).error(np.arange(1200)) == pytest.approx(3 / 1200)


def test_the_embedding_is_what_the_last_layer_decides_by(digits):
    numbers, test = numbers_of(digits), digits.positions("test")
    trained = supervised.train(digits, numbers, digits.positions("train")[:200], SMALL)
    weights, bias = (p.detach().numpy() for p in trained.module.head[1].parameters())
    embedding = trained.embedding(test)
    assert embedding.shape == (len(test), 64)
    predicted = (embedding @ weights.T + bias).argmax(axis=1)
    assert (predicted != numbers[test]).mean() == pytest.approx(trained.error(test), abs=1e-3)


def test_corruptions_are_done_to_what_is_learned_from_and_not_to_what_is_judged(digits):
    numbers, train, test = numbers_of(digits), digits.positions("train"), digits.positions("test")
    blind = SMALL.model_validate(SMALL.model_dump() | {"augment": [{"kind": "masking", "share": 1.0}]})
    assert supervised.train(digits, numbers, train, blind).error(test) > 0.8
    harmless = SMALL.model_validate(SMALL.model_dump() | {"augment": [{"kind": "masking", "share": 0.1}]})
    assert supervised.train(digits, numbers, train, harmless).error(test) < 0.06


def test_more_labelled_samples_than_memory_holds_are_streamed(digits, monkeypatch):
    monkeypatch.setattr(supervised, "MEMORY_BUDGET", 1000)
    numbers, train, test = numbers_of(digits), digits.positions("train"), digits.positions("test")
    assert supervised.train(digits, numbers, train, SMALL).error(test) < 0.06


def test_tables_take_the_dense_net(tmp_path):
    draw = np.random.default_rng(0)
    classes = draw.integers(0, 2, 300)
    values = (draw.normal(size=(300, 5)) + 4 * classes[:, None]).astype(np.float32)
    splits = ["train", "train", "test"] * 100
    store = write_store(tmp_path, ArraySource(values, labels=[str(c) for c in classes], splits=splits))
    trained = supervised.train(store, numbers_of(store), store.positions("train"), SMALL)
    assert trained.error(store.positions("test")) < 0.05


def batches(count, size):
    return Batches(torch.arange(count)[:, None].float(), Finish(scale=1.0), batch_size=size)


def test_repeated_epochs_follow_one_another():
    inner = batches(10, 4)
    repeated = Repeated(inner, 5)
    rows = [batch.rows.tolist() for batch in repeated.epoch(0)]
    assert rows == [batch.rows.tolist() for epoch in range(3) for batch in inner.epoch(epoch)][:5]
    assert len(repeated) == len(rows)
    assert [batch.rows.tolist() for batch in repeated.epoch(0, start=3)] == rows[3:]
    assert next(batch.rows.tolist() for batch in repeated.epoch(1)) == next(inner.epoch(3)).rows.tolist()


@pytest.mark.parametrize(("rows", "steps"), [(20, 80), (640, 80), (1400, 4 * (1400 // 64))])
def test_a_training_takes_its_steps_or_more_for_many_labels(digits, rows, steps):
    options = SMALL.model_copy(update={"steps": 80})
    rows = digits.positions("train")[:rows]
    assert len(supervised._batches(digits, numbers_of(digits), rows, options, 0, torch.device("cpu"))) == steps


# -- beside the latents ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared(digits):
    options = ClassifyOptions(few_labels=[30, 300], draws=2)
    latents = latents_of(digits)
    curves = {"latents": few_labels.curve(latents, options), "kind": options.kind}
    curves |= {"encoder": latents.encoder, "seed": options.seed}
    curves["pca"] = curves["latents"]
    short = SMALL.model_copy(update={"draws": 2, "steps": 80})
    return curves, *supervised.contrast(digits, latents, curves, short)


def test_the_curve_has_a_point_for_each_of_the_latents_curve(compared, digits):
    given, found, _ = compared
    assert {name: found[name] for name in given} == given
    assert [p["labels"] for p in found["supervised"]] == [30, 300, len(digits.positions("train"))]
    assert [p["draws"] for p in found["supervised"]] == [2, 2, 1]
    errors = [p["error_mean"] for p in found["supervised"]]
    assert errors == sorted(errors, reverse=True)
    assert 1 < errors[-1] < 20, "in percent"


def test_spaces_hold_the_same_test_samples(compared, digits):
    _, _, spaces = compared
    every = len(digits.positions("train"))
    assert list(spaces) == ["sample_id", "label", "latents", "supervised_300", f"supervised_{every}"]
    index = digits.index.set_index("sample_id").loc[spaces["sample_id"]]
    assert (index["split"] == "test").all()
    assert index["label"].tolist() == spaces["label"].tolist()
    latents = latents_of(digits)
    place = pd.Index(latents.column("sample_id")).get_loc(spaces["sample_id"][7])
    np.testing.assert_array_equal(spaces["latents"][7], latents.vectors[place])


def test_the_draws_are_those_of_the_latents_curve(digits, monkeypatch):
    latents, options = latents_of(digits), ClassifyOptions(few_labels=[30, 300], draws=3, seed=4)
    drawn = {"curve": [], "supervised": []}

    def recording(name, draw):
        def record(classes, count, seed):
            rows = draw(classes, count, seed)
            drawn[name].append((count, rows.tolist(), classes.tolist()))
            return rows

        return record

    monkeypatch.setattr(few_labels, "balanced_draw", recording("curve", few_labels.balanced_draw))
    curves = {"latents": few_labels.curve(latents, options), "pca": [], "kind": ""}
    curves |= {"encoder": latents.encoder, "seed": options.seed}
    monkeypatch.setattr(supervised, "balanced_draw", recording("supervised", supervised.balanced_draw))
    supervised.contrast(digits, latents, curves, SMALL.model_copy(update={"steps": 1, "draws": 3, "seed": 4}))
    assert len(drawn["curve"]) == 6
    assert drawn["supervised"][:6] == drawn["curve"]
    every = drawn["supervised"][6][1]
    assert every == list(range(len(digits.positions("train"))))


# -- what the comparison says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((50, 20, 5), (40, 30, 10), 100),
        ((30, 20, 5), (40, 30, 10), 10),
        ((30, 35, 5), (40, 30, 10), 1000),  # better with 10 labels, but not for good
        ((50, 40, 11), (40, 30, 10), None),
        ((50, 40, 10), (40, 30, 10), None),
    ],
)
def test_supervised_learning_wins_from_where_it_stays_the_better_one(ours, theirs, expected):
    assert contrast.wins_from(curve(*ours), curve(*theirs)) == expected
    found = contrast.metrics({"supervised": curve(*ours), "latents": curve(*theirs)})
    assert found.get("labels_where_supervised_wins") == expected
    assert found["supervised_error_100"] == ours[1]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((10, 100, 1000, 3000, 60000), [1000, 60000]),
        ((10, 100, 1437), [100, 1437]),
        ((10, 100, 500), [500]),
        ((3000, 60000), [60000]),
    ],
)
def test_the_maps_are_of_some_labels_and_of_all(labels, expected):
    assert contrast.counts_to_map(curve(*labels, labels=labels)) == expected


@pytest.mark.parametrize(
    ("wins_from", "said"), [(100, "at 100 labels"), (None, "with all labels supervised learning is not")]
)
def test_the_picture_says_where_supervised_learning_wins(wins_from, said):
    points = {name: curve(50, 20, 5) for name in ("latents", "pca", "supervised")}
    (axis,) = plots.contrast_curve(points | {"kind": "label_spreading"}, wins_from).axes
    (text,) = axis.texts
    assert said in text.get_text()


# -- refusals --------------------------------------------------------------------------------------------


def test_latents_of_other_samples_and_curves_of_other_latents_are_refused(digits):
    labels = len(digits.positions("train"))
    curves = {"latents": curve(5, labels=(labels,)), "encoder": "pixels", "seed": 4}
    contrast.refuse_others(digits, latents_of(digits), curves, labels, 4)
    with pytest.raises(InputError, match="the latents were made from the samples other, but"):
        contrast.refuse_others(digits, latents_of(digits, samples_id="other"), curves, labels, 4)
    with pytest.raises(InputError, match=r"drawn with classify.seed=4, but contrast.seed is 0"):
        contrast.refuse_others(digits, latents_of(digits), curves, labels, 0)
    with pytest.raises(InputError, match="ends at 7 labels of encoder pixels, but the latents have .* classify again"):
        contrast.refuse_others(digits, latents_of(digits), curves | {"latents": curve(5, labels=(7,))}, labels, 4)
    with pytest.raises(InputError, match="of encoder other, but the latents have .* of encoder pixels"):
        contrast.refuse_others(digits, latents_of(digits), curves | {"encoder": "other"}, labels, 4)


@pytest.mark.parametrize(
    ("labels", "augment", "message"),
    [
        (None, [], r"labelled train samples of at least two classes; found 0 \(none\): give labels"),
        (["a"] * 60, [], r"found 1 \(a\)"),
        (["a", "b", None] * 20, [], "none of the 20 test samples has a label of the train split"),
        (["a", "b", "c"] * 20, [], "none of the 20 test samples has a label of the train split"),
        (["a", "b", "a"] * 20, [{"kind": "downscale"}], r"turns samples of shape \(1, 6, 5\) into \(1, 3, 3\)"),
        (["a", "b", "a"] * 20, [{"kind": "greyscale"}], r"greyscale takes images of 3 channels"),
    ],
)
def test_samples_that_cannot_be_contrasted_are_refused(tmp_path, labels, augment, message):
    store = write_store(tmp_path, ArraySource(images(60), labels=labels, splits=["train", "train", "test"] * 20))
    with pytest.raises(InputError, match=message):
        ContrastOptions.model_validate({"augment": augment}).check_samples(store)


def test_samples_with_labels_of_two_classes_can_be_contrasted(tmp_path):
    labels, splits = ["a", "b", "a"] * 20, ["train", "train", "test"] * 20
    store = write_store(tmp_path, ArraySource(images(60), labels=labels, splits=splits))
    ContrastOptions.model_validate({"augment": [{"kind": "masking"}]}).check_samples(store)


def test_a_mistyped_corruption_is_found_before_any_samples():
    with pytest.raises(InputError, match="no corruption called 'maskin'.*Did you mean 'masking'"):
        ContrastOptions.model_validate({"augment": [{"kind": "maskin"}]}).check()


def test_the_stage_is_wired_without_torch():
    code = "import sys, ae_pipelines.pipelines.contrast.nodes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
