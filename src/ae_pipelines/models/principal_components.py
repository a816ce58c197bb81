"""Principal components as a method: an encoder and a decoder in closed form."""

from math import prod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase
from ae_pipelines.models.batch import Loader, clean, first_batches
from ae_pipelines.models.contract import Task
from ae_pipelines.models.directions import AlongDirections, Features, pca
from ae_pipelines.models.method import Method
from ae_pipelines.models.moments import Moments

SAMPLES = 20_000
"""Samples from which it learns, at most."""
MOST_FEATURES = 6_144
"""Values of a sample, at most: with twice as many their covariance would take 1.2 GB."""


@MODELS.register("pca")
class PrincipalComponents(Method):
    """The best linear encoder and decoder there are (Pearson 1901; Baldi & Hornik 1989 show that a linear autoencoder
    learns the same space): learned in one go, without gradients.

    Latents are divided by one number, so that their variance is 1 on average. Beside another encoder (`joined`) it
    keeps what a sample looks like, where that one keeps what it shows.
    """

    takes_corruptions = False

    def __init__(self, task: Task, *, latent_size: Annotated[int, Field(gt=0)] = 32) -> None:
        super().__init__()
        size = prod(task.samples.shape)
        if task.input_shape != task.samples.shape:
            raise InputError("pca takes samples as they are: leave out corruptions that change their shape")
        if not latent_size <= size <= MOST_FEATURES:
            raise InputError(
                f"pca of samples of {size} values: expected at least model.latent_size, {latent_size}, and at most "
                f"{MOST_FEATURES}: give fewer latents, or smaller samples (source.size)"
            )
        self.latent_size, self._shape = latent_size, task.samples.shape
        self.encoder = AlongDirections(Flat(size), latent_size)
        self.decoder = BackFromDirections(size, latent_size, task.samples.shape, task.samples.bounded)
        self.decoder.learn(self.encoder)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def phases(self) -> list[Phase]:
        return []

    def complete(self, train: Loader) -> None:
        total = Moments(self.encoder.features.size)
        for batch in first_batches(train, SAMPLES):
            total.add(clean(batch, self._shape).flatten(1).double())
        self.encoder.learn(total, pca(total, self.latent_size))
        self.decoder.learn(self.encoder)


class Flat(Features):
    """Samples (batch, *shape) → their values (batch, size)."""

    samples_at_once = 2**20

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


class BackFromDirections(nn.Module):
    """Coordinates along directions (batch, latent_size) → samples (batch, *shape), between 0 and 1 where these are."""

    mean: Tensor
    directions: Tensor

    def __init__(self, size: int, latent_size: int, shape: tuple[int, ...], bounded: bool) -> None:
        super().__init__()
        self._shape, self._bounded = shape, bounded
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("directions", torch.zeros(latent_size, size))

    def forward(self, z: Tensor) -> Tensor:
        samples = (z @ self.directions + self.mean).reshape(-1, *self._shape)
        return samples.clamp(0, 1) if self._bounded else samples

    def learn(self, encoder: AlongDirections[Flat]) -> None:
        """What undoes the encoder, if its directions are orthogonal and of one length."""
        directions = encoder.directions
        self.mean.copy_(encoder.mean)
        self.directions.copy_((directions / directions.square().sum(0)).T)
