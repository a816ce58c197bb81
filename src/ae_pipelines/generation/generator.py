"""A trained model that makes samples, with what is known of its latents."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.generation import known, prior
from ae_pipelines.generation.options import MODEL, GenerateOptions
from ae_pipelines.generation.prior import Prior, StandardNormal
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel

ENCODED_ROWS = {"train": 15_000, "test": 5_000}
"""Samples of each split that are encoded, at random; more would cost time and show the same."""
ROWS_PER_PASS = 1000


class CannotShow(InputError):  # noqa: N818
    """This model, or these samples, do not have what a picture shows."""


@dataclass(frozen=True)
class EncodedSamples:
    """Real samples and their latents; at most `ENCODED_ROWS`."""

    rows: np.ndarray
    """Positions in the store, (n,)."""
    vectors: np.ndarray
    """Their latents (n, d), float32."""
    test: np.ndarray
    """Whether each is of the test split, which the model has not learned from."""
    labels: np.ndarray
    """Their labels (n,), text, empty where unknown."""

    @property
    def train_vectors(self) -> np.ndarray:
        """Latents of the train samples, (some, d)."""
        return self.vectors[~self.test]


@dataclass(frozen=True)
class Generator:
    """Turns latents into samples, and real samples into latents where there is an encoder."""

    trained: TrainedModel
    samples: Samples
    options: GenerateOptions
    prior: Prior
    encoded: EncodedSamples | None
    """Real samples and their latents; None without an encoder."""

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.trained.contract.recipe

    @property
    def size(self) -> int:
        """Size of a latent, d."""
        return self.trained.contract.latent_size

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that are requested of new samples, in turn; none unless the method is conditional."""
        if not self.trained.module.conditional:
            return ()
        return self.options.classes or self.trained.contract.task.classes

    @property
    def default_class(self) -> str | None:
        """The class that the decoder gets where a picture is not about classes. Latents of real samples are made
        without labels, and decoded so; a generator without an encoder has never made a sample without a label."""
        return self.classes[0] if self.classes and self.encoded is None else None

    def random(self) -> np.random.Generator:
        """A generator that gives the same numbers after every call."""
        return np.random.default_rng(self.options.seed)

    def draw(self, count: int) -> tuple[np.ndarray, list[str | None]]:
        """New latents (count, d), and the class that each is to be decoded with. The first ones are the same for any
        count."""
        random = self.random()
        parts = [self.prior.draw(ROWS_PER_PASS, random) for _ in range(0, count, ROWS_PER_PASS)]
        classes: tuple[str | None, ...] = self.classes or (None,)
        return np.concatenate(parts)[:count], [classes[place % len(classes)] for place in range(count)]

    def decode(self, z: np.ndarray, labels: list[str | None] | None = None) -> np.ndarray:
        """Samples (n, *shape), float32 (images in [0, 1]), of latents (n, d), of these classes or the default one."""
        labels = [self.default_class] * len(z) if labels is None else labels
        given = labels if self.trained.module.conditional else None
        return np.concatenate([self.trained.decode(z[part], given and given[part]) for part in _passes(z)])

    def made(self, z: np.ndarray, labels: list[str | None]) -> Iterator[np.ndarray]:
        """Samples of latents (n, d) with these labels, as a store keeps them, some at a time."""
        for part in _passes(z):
            yield self.as_stored(self.decode(z[part], labels[part]))

    def as_stored(self, made: np.ndarray) -> np.ndarray:
        """New samples (n, *shape) as a store keeps them: images as uint8 or uint16."""
        return self.samples.spec.as_stored(made)

    def real(self, rows: np.ndarray) -> np.ndarray:
        """Real samples at these positions of the store, (n, *shape), float32 as a model sees them."""
        return self.samples.spec.as_input(self.samples.take(rows))

    def real_latents(self, rows: np.ndarray) -> np.ndarray:
        """Latents (n, d) of the samples at these positions; `CannotShow` without an encoder."""
        self.need_encoder()
        return self.trained.encode(self.samples.take(rows))

    def need_encoder(self) -> EncodedSamples:
        """The encoded samples; `CannotShow` without an encoder."""
        if self.encoded is None:
            kind = self.trained.contract.model["kind"]
            raise CannotShow(f"{kind} has no encoder, so real samples have no place among its latents")
        return self.encoded

    def quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Quantiles (len(shares), d) of the latents of train samples; without an encoder of the standard normal."""
        if self.encoded is not None:
            return np.quantile(self.encoded.train_vectors, shares, axis=0).astype(np.float32)
        column = [NormalDist().inv_cdf(float(share)) for share in shares]
        return np.repeat(np.array(column, np.float32)[:, None], self.size, axis=1)


def prepared(trained: TrainedModel, samples: Samples, options: GenerateOptions) -> Generator:
    """Everything that is needed to make samples. Raises `InputError` if the model has no decoder, was trained on
    samples of another shape or type, or cannot make what is asked for."""
    encoded, contract = _checked(trained, samples, options), trained.contract
    if trained.module.generates:
        return Generator(trained, samples, options, StandardNormal(contract.latent_size), encoded)
    if encoded is None or not len(encoded.train_vectors):
        raise InputError(f"recipe {contract.recipe} has neither a prior nor an encoder, so nothing can be drawn")
    return Generator(trained, samples, options, prior.fitted(encoded.train_vectors, options.seed), encoded)


def prepared_beside(folder: Path, samples: Samples, options: GenerateOptions) -> Generator:
    """A generator of another run's data folder, which draws nothing; `InputError` if there is no model, or it was
    trained on samples of another shape or type."""
    other = TrainedModel.load(folder / MODEL).where_trained()
    plain = GenerateOptions(seed=options.seed, grid=options.grid)
    if not hasattr(other.module, "encode"):
        kind = other.contract.model["kind"]
        raise InputError(f"generate.beside: the {kind} in {folder} has no encoder: give another run")
    encoded = _checked(other, samples, plain)
    return Generator(other, samples, plain, StandardNormal(other.contract.latent_size), encoded)


def _checked(trained: TrainedModel, samples: Samples, options: GenerateOptions) -> EncodedSamples | None:
    """The encoded samples, if the model has an encoder; `InputError` if it cannot make what is asked for."""
    encodes, decodes = (hasattr(trained.module, name) for name in ("encode", "decode"))
    options.check_trained(trained.contract, encodes, decodes)
    trained.contract.samples.refuse_other(samples.spec, trained.contract.part)
    options.check_samples(samples)
    return _encoded(trained, samples, options.seed) if encodes else None


def _encoded(trained: TrainedModel, samples: Samples, seed: int) -> EncodedSamples:
    random = np.random.default_rng(seed)
    parts = {
        split: np.sort(random.permutation(samples.positions(split))[:most]) for split, most in ENCODED_ROWS.items()
    }
    rows = np.concatenate(list(parts.values()))
    labels = known.about(samples, rows)["label"].to_numpy(dtype=str)
    test = np.arange(len(rows)) >= len(parts["train"])
    vectors = np.concatenate([trained.encode(samples.take(rows[part])) for part in _passes(rows)])
    return EncodedSamples(rows, vectors, test, labels)


def _passes(rows: np.ndarray) -> list[slice]:
    """Slices of at most `ROWS_PER_PASS` rows."""
    return [slice(start, start + ROWS_PER_PASS) for start in range(0, len(rows), ROWS_PER_PASS)]
