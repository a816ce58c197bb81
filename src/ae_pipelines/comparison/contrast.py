"""The comparison with supervised learning: options, what it needs, and from how many labels on the latter wins.

Cheap to import; `supervised.py` does the work.
"""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.downstream import intervals
from ae_pipelines.latents.file import Latents
from ae_pipelines.latents.provenance import refuse_other_samples
from ae_pipelines.models.corruptions import CorruptionChoice, corrupted_spec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.options import Device

Curve = list[dict[str, Any]]
"""A point for each number of labels: `labels`, `error_mean` and `error_sd` (%), `draws`; ascending."""

MAP_LABELS = 1000
"""Of the classifiers with at most this many labels, the one with the most is drawn."""


class ContrastOptions(Options):
    """How the classifier on labels alone is trained; the few-label curve of `classify` says with how many."""

    draws: Annotated[int, Field(gt=0)] = 3
    """Draws of each number of labels: the first ones of the few-label curve."""
    channels: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)] = [32, 64]
    """Channels of the convolutions, as in the conv net; vectors take the dense net as it is."""
    embedding: Annotated[int, Field(gt=0)] = 64
    """Size of its penultimate space."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of values dropped before the last layer."""
    augment: list[CorruptionChoice] = []
    """Applied to the samples of each batch anew, in this order; none leaves them as they are."""
    steps: Annotated[int, Field(gt=0)] = 600
    """Batches of one training."""
    epochs_of_all: Annotated[int, Field(gt=0)] = 4
    """Epochs of its labels that a training has at least, with more batches than `steps` where they are needed."""
    batch_size: Annotated[int, Field(gt=0)] = 64
    """Samples of one batch; all of them, if there are fewer."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    """Peak learning rate of one cycle of Adam."""
    device: Device = "auto"
    threads: Annotated[int, Field(gt=0)] | None = None
    """CPU threads; None tries a few and takes the fastest."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Draw number i has seed + i: the same rows as in the few-label curve, if its seed is the same."""

    def check(self) -> None:
        """`InputError` if a corruption is unknown or does not take its options."""
        for choice in self.augment:
            choice.check()

    def check_samples(self, samples: Samples) -> None:
        """`InputError` unless there are labels to learn from and to judge by, and samples suit the corruptions."""
        classes = samples.classes()
        if len(classes) < 2:
            raise InputError(
                f"contrast needs labelled train samples of at least two classes; found {len(classes)} "
                f"({first_of(classes) or 'none'}): give labels, or leave contrast out"
            )
        judged_rows(samples, samples.label_numbers(classes))
        augmented = corrupted_spec([choice.build() for choice in self.augment], samples.spec)
        if augmented.shape != samples.spec.shape:
            raise InputError(
                f"contrast.augment turns samples of shape {samples.spec.shape} into {augmented.shape}, but test "
                "samples stay as they are: leave out downscale and greyscale"
            )


def judged_rows(samples: Samples, numbers: np.ndarray) -> np.ndarray:
    """Positions of the test samples whose class, in `numbers` (n,), is known; `InputError` if there are none."""
    test = samples.positions("test")
    rows = test[numbers[test] >= 0]
    if not len(rows):
        raise InputError(
            f"contrast cannot judge: none of the {len(test)} test samples has a label of the train split: give some"
        )
    return rows


def refuse_others(samples: Samples, latents: Latents, few_labels: dict[str, Any], labels: int, seed: int) -> None:
    """`InputError` unless the latents are of these samples, and the few-label curve is of these latents, with this many
    `labels` to learn from, drawn with this `seed`."""
    refuse_other_samples(latents, samples)
    given = few_labels["latents"][-1]["labels"]
    if (given, few_labels["encoder"]) != (labels, latents.encoder):
        raise InputError(
            f"the few-label curve ends at {given} labels of encoder {few_labels['encoder'][:12]}, but the latents have "
            f"{labels} to learn from, of encoder {latents.encoder[:12]}: run classify again"
        )
    if few_labels["seed"] != seed:
        raise InputError(
            f"the few-label curve was drawn with classify.seed={few_labels['seed']}, but contrast.seed is {seed}, "
            "which draws other labels: give both the same"
        )


def counts_to_map(curve: Curve) -> list[int]:
    """The numbers of labels whose classifiers' spaces are drawn: one for few labels, and all."""
    counts = [int(point["labels"]) for point in curve]
    few = [count for count in counts if count <= MAP_LABELS]
    return sorted({*few[-1:], counts[-1]})


def wins_from(contender: Curve, champion: Curve) -> int | None:
    """The number of labels from which on, as far as was measured, the contender's mean error is the lower one; None
    if it is not even with the most labels. Curves have the same numbers of labels."""
    found = None
    for ours, theirs in zip(reversed(contender), reversed(champion), strict=True):
        if ours["error_mean"] >= theirs["error_mean"]:
            break
        found = int(ours["labels"])
    return found


def metrics(contrast: dict[str, Any]) -> dict[str, float]:
    """`supervised_error_<labels>` (%) with the bounds of its 95 % interval, as far as they follow from the number of
    rows that were judged, and, if it wins at all, `labels_where_supervised_wins`."""
    errors = dict[str, float]()
    for point in contrast["supervised"]:
        name, error = f"supervised_error_{point['labels']}", float(point["error_mean"])
        errors[name] = error
        if "test_rows" in point:  # curves of earlier versions lack it
            low, high = intervals.proportion(error / 100, point["test_rows"])
            errors |= intervals.bounds(name, (100 * low, 100 * high))
    won = wins_from(contrast["supervised"], contrast["latents"])
    return errors if won is None else errors | {"labels_where_supervised_wins": float(won)}
