"""A classifier trained from scratch on labels alone: what an autoencoder has to beat to be worth its training."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.comparison.contrast import ContrastOptions, counts_to_map, judged_rows, refuse_others
from ae_pipelines.downstream import classification
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.few_labels import balanced_draw
from ae_pipelines.latents.file import Latents
from ae_pipelines.models import Phase, Player
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.corruptions import one_after_another
from ae_pipelines.models.inputs import as_tensor, inputs
from ae_pipelines.models.method import Method
from ae_pipelines.models.nets import NetChoice
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import loop
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.devices import in_parallel, pick_device
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.streamed import StreamedBatches

log = logging.getLogger(__name__)

ROWS_PER_PASS = 512
MEMORY_BUDGET = 10**9
"""Bytes of labelled samples that are held in memory; more are streamed."""
MAP_ROWS = 2000
"""Test samples whose embeddings are kept, to be drawn."""


class SupervisedClassifier(Method):
    """A net's encoder, ReLU, dropout and one linear layer to the classes, trained by cross-entropy."""

    wants_labels = True

    def __init__(self, shape: tuple[int, ...], classes: int, options: ContrastOptions, name: str) -> None:
        super().__init__()
        self._name = name
        self.encoder = nn.Sequential(_net(shape, options).build().encoder(shape, options.embedding), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(options.dropout), nn.Linear(options.embedding, classes))

    def encode(self, x: Tensor) -> Tensor:
        """What the last layer gets: (batch, *shape) → (batch, embedding)."""
        return self.encoder(x)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *shape) → log odds of the classes, up to a constant, (batch, classes)"""
        return self.head(self.encoder(x))

    def phases(self) -> list[Phase]:
        return [Phase(self._name, [Player("classifier", list(self.parameters()), self._terms)])]

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        return {"cross_entropy": F.cross_entropy(self(batch.input), batch.label)}  # type: ignore[arg-type]


class Repeated:
    """The epochs of other batches one after another, as one epoch of `steps` steps."""

    def __init__(self, batches: Loader, steps: int) -> None:
        self._batches, self._steps = batches, steps
        self.batch_size = batches.batch_size

    def __len__(self) -> int:
        return self._steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from step `start` on."""
        first = epoch * -(-self._steps // len(self._batches))
        return islice(chain.from_iterable(map(self._batches.epoch, count(first))), start, self._steps)


@dataclass(frozen=True)
class Supervised:
    """A trained classifier of a store's samples."""

    module: SupervisedClassifier
    samples: Samples
    numbers: np.ndarray
    """Number of each sample's class, (n,); -1 where unknown."""

    def error(self, rows: np.ndarray) -> float:
        """Share of these samples (positions in the store) that get a wrong class."""
        predicted = self._each(rows, lambda x: self.module(x).argmax(1))
        return float((predicted != self.numbers[rows]).mean())

    def embedding(self, rows: np.ndarray) -> np.ndarray:
        """Places in its penultimate space: what the last layer gets for these samples, (len(rows), embedding)."""
        return self._each(rows, self.module.encode)

    def _each(self, rows: np.ndarray, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        def of_some(part: np.ndarray) -> np.ndarray:
            with torch.inference_mode():
                x = inputs(self.samples.take(part), self.samples.spec)
                return function(x).numpy()

        parts = np.split(rows, range(ROWS_PER_PASS, len(rows), ROWS_PER_PASS))
        return np.concatenate(list(in_parallel(of_some, parts)))


def contrast(
    samples: Samples, latents: Latents, few_labels: dict[str, Any], options: ContrastOptions, run: Run = NO_RUN
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The few-label curves of `classify` with that of supervised classifiers beside them, which learn from the same
    draws and are judged on the same test samples; and where some of these lie in each space: a row for each sample
    with `sample_id`, `label`, its `latents`, and its place in the penultimate space of classifiers that learned from
    few labels and from all (`supervised_<labels>`).

    Raises `InputError` if samples, latents and curves do not belong together.
    """
    pool = _LabelPool.same_as_the_curve(latents, options.seed)
    refuse_others(samples, latents, few_labels, len(pool.rows), options.seed)
    numbers = samples.label_numbers(samples.classes())
    judged = judged_rows(samples, numbers)
    trained = {
        point["labels"]: [
            train(samples, numbers, pool.draw(point["labels"], seed), options, seed, run)
            for seed in range(options.seed, options.seed + min(point["draws"], options.draws))
        ]
        for point in few_labels["latents"]
    }
    curve = [_point(labels, classifiers, judged) for labels, classifiers in trained.items()]
    mapped = {labels: trained[labels][0] for labels in counts_to_map(curve)}
    return few_labels | {"supervised": curve}, _spaces(latents, mapped, judged, options.seed)


@dataclass(frozen=True)
class _LabelPool:
    """The labels that are drawn from."""

    rows: np.ndarray
    """Positions of labelled train samples."""
    classes: np.ndarray
    """Number of each one's class."""

    @classmethod
    def same_as_the_curve(cls, latents: Latents, seed: int) -> Self:
        labelled = np.flatnonzero(classification.training_rows(latents))
        rows = classification.at_most_learned(labelled, ClassifyOptions(seed=seed))
        return cls(rows, latents.labels.among(rows)[1])

    def draw(self, labels: int, seed: int) -> np.ndarray:
        return self.rows[balanced_draw(self.classes, labels, seed)]


def _point(labels: int, classifiers: list[Supervised], judged: np.ndarray) -> dict[str, Any]:
    errors = [100 * classifier.error(judged) for classifier in classifiers]
    log.info("supervised by %s labels: %.2f %% of the test samples wrong", f"{labels:,}", np.mean(errors))
    deviation = float(np.std(errors, ddof=1)) if len(errors) > 1 else 0.0
    error = {"error_mean": float(np.mean(errors)), "error_sd": deviation}
    return {"labels": labels, **error, "draws": len(errors), "test_rows": len(judged)}


def _spaces(latents: Latents, trained: dict[int, Supervised], judged: np.ndarray, seed: int) -> pd.DataFrame:
    """Where `MAP_ROWS` of the judged samples, picked at random, lie in each space."""
    shown = np.sort(np.random.default_rng(seed).permutation(judged)[:MAP_ROWS])
    vectors = {"latents": latents.at(shown)}
    vectors |= {f"supervised_{labels}": classifier.embedding(shown) for labels, classifier in trained.items()}
    known = {"sample_id": latents.take(shown)["sample_id"].to_numpy(), "label": latents.labels[shown]}
    return pd.DataFrame(known | {space: list(places) for space, places in vectors.items()})


def train(
    samples: Samples, numbers: np.ndarray, rows: np.ndarray, options: ContrastOptions, seed: int = 0, run: Run = NO_RUN
) -> Supervised:
    """A classifier that has learned only from the samples at `rows`; each sample's class is in `numbers` (n,).

    Initial weights, dropout and the order of batches follow from `seed`.
    """
    settings = TrainOptions(
        epochs=1,
        learning_rate=options.learning_rate,
        schedule="one_cycle",
        validation_share=0,
        device=options.device,
        threads=options.threads,
        seed=seed,
    )
    device = pick_device(options.device)
    log.info("training a classifier on %s labels", f"{len(rows):,}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        classes = int(numbers.max()) + 1
        model = SupervisedClassifier(samples.spec.shape, classes, options, f"supervised_{len(rows)}").to(device)
        loop.fit(model, _batches(samples, numbers, rows, options, seed, device), None, settings, run=run)
    return Supervised(model.cpu().eval(), samples, numbers)


def _net(shape: tuple[int, ...], options: ContrastOptions) -> NetChoice:
    """Convolutions for images; vectors take dense layers."""
    return NetChoice(kind="conv", channels=options.channels) if len(shape) == 3 else NetChoice(kind="dense")


def _batches(
    samples: Samples,
    numbers: np.ndarray,
    rows: np.ndarray,
    options: ContrastOptions,
    seed: int,
    device: torch.device,
) -> Loader:
    """Batches for one training, of these samples alone; streamed if they are too many for memory."""
    size = min(options.batch_size, len(rows))
    corrupt = one_after_another([choice.build() for choice in options.augment])

    def finish(labels: np.ndarray) -> Finish:
        return Finish(
            **samples.spec.scaling._asdict(), seed=seed, corrupt=corrupt, labels=torch.from_numpy(labels).to(device)
        )

    batches: Loader
    if len(rows) * samples.spec.sample_bytes > MEMORY_BUDGET:
        batches = StreamedBatches(samples, finish(numbers), rows=rows, batch_size=size, device=device)
    else:
        values = as_tensor(samples.take(rows)).to(device)
        batches = Batches(values, finish(numbers[rows]), batch_size=size)
    return Repeated(batches, max(options.steps, options.epochs_of_all * len(batches)))
