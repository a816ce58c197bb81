"""An encoder that is learned without gradients, from patches of images."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.progress import Steps
from ae_pipelines.models import MODELS, Phase
from ae_pipelines.models.batch import Batch, Loader, clean, first_batches
from ae_pipelines.models.contract import Task
from ae_pipelines.models.directions import AlongDirections, invariant, pca
from ae_pipelines.models.method import Method
from ae_pipelines.models.moments import Moments
from ae_pipelines.models.patch_features import PatchFeatures

PATCH_SIZE = 6
"""Pixels of a side, if the image has twice as many."""
LEAST_SIDE = 4
"""Images are at least so high and wide: patches smaller than 2 × 2 have no shape."""
PATCHES = 100_000
"""Patches from which the dictionary is learned, at most."""
SAMPLES = 20_000
"""Samples from which it and the directions are learned, at most."""
PAIRS = 5_000
"""Samples of which two views are compared, at most."""
ITERATIONS = 10

Projection = Literal["pca", "invariant"]


@MODELS.register("patches")
class Patches(Method):
    """Whitened patches, a dictionary by k-means, and linear directions of what is found where (Coates, Lee & Ng 2011).

    No gradients and no decoder: all of it is learned in one go, in closed form but for k-means, from train samples.
    Latents are divided by one number, so that their variance is 1 on average.
    """

    def __init__(
        self,
        task: Task,
        *,
        latent_size: Annotated[int, Field(gt=0)] = 32,
        centroids: Annotated[int, Field(gt=1)] = 400,
        patch_size: Annotated[int, Field(ge=2)] | None = None,
        stride: Annotated[int, Field(gt=0)] = 2,
        grid: Annotated[int, Field(gt=0)] = 2,
        projection: Projection = "pca",
    ) -> None:
        """`centroids`: patches in the dictionary. `patch_size`: pixels of a side; None: 6, or half the image's shorter
        side if that is less. `stride`: pixels from one patch to the next. `grid`: rows and columns of parts over which
        an image is summed up. `projection`: latents are the principal components of that, or (`invariant`) directions
        that vary most between samples as against two views of one, which corruptions in the loader make."""
        super().__init__()
        shape = _image_shape(task)
        side = _patch_size(shape, patch_size, stride, grid)
        self.latent_size, self.wants_second_view = latent_size, projection == "invariant"
        features = PatchFeatures(
            shape, patch_size=side, stride=stride, centroids=centroids, grid=grid, iterations=ITERATIONS
        )
        if latent_size > features.size:
            raise InputError(
                f"patches with {centroids} centroids in {grid} x {grid} parts has {features.size} features, fewer than "
                f"model.latent_size, {latent_size}: give fewer latents, or more centroids"
            )
        self._patch_size, self._shape = side, task.input_shape
        self._projection = projection
        self.encoder = AlongDirections(features, latent_size)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def phases(self) -> list[Phase]:
        return []

    def learned(self) -> list[dict[str, float]]:
        """The mean squared distance of a whitened patch to its nearest centroid, before each iteration of k-means."""
        return [{"patches/inertia": value} for value in self.encoder.features.inertia.tolist()]

    def measures(self, test: Loader) -> dict[str, float]:
        """The same of all patches of some test samples."""
        features = self.encoder.features
        x = clean(next(iter(test.epoch(0))), self._shape).split(features.samples_at_once)
        nearest = [features.squared_distances(features.whitened(part)).amin(1) for part in x]
        return {"test/patches/inertia": float(torch.cat(nearest).mean())}

    def complete(self, train: Loader) -> None:
        features = self.encoder.features
        features.learn(self._some_patches(train))
        total, between_views = self._moments(train)
        scaled = pca(total, self.latent_size)
        if self.wants_second_view:
            scaled = invariant(total, between_views, self.latent_size)
        self.encoder.learn(total, scaled)

    def try_completing(self, batch: Batch) -> None:
        if self.wants_second_view:
            self.encoder.in_slices(batch.input)

    def _some_patches(self, train: Loader) -> Tensor:
        """Patches (n, channels, patch_size, patch_size) at random places, as many of each sample."""
        side = self._patch_size
        samples = min(SAMPLES, len(train) * train.batch_size)
        patches: Tensor | None = None
        found = 0
        for batch in first_batches(train, samples):
            x = clean(batch, self._shape)
            rows, columns = (length - side + 1 for length in x.shape[2:])
            each = min(-(-PATCHES // samples), rows * columns)
            if patches is None:
                patches = x.new_empty(samples * each, x.shape[1], side, side)
            some = _cut(x, torch.randint(rows, (len(x), each)), torch.randint(columns, (len(x), each)), side)
            some = some[: len(patches) - found]
            patches[found : found + len(some)] = some
            found += len(some)
        count = len(self.encoder.features.centroids)
        if patches is None or found < count:
            raise InputError(
                f"{found} patches of {samples} train samples cannot make a dictionary of {count}: give more samples, "
                "or fewer model.centroids"
            )
        return patches[:found]

    def _moments(self, train: Loader) -> tuple[Moments, Moments]:
        """Of the features of samples, and of differences between two views of a sample."""
        size, most = self.encoder.features.size, min(SAMPLES, len(train) * train.batch_size)
        total, between = Moments(size), Moments(size)
        with Steps(most, "features of patches", "sample") as steps:
            for batch in first_batches(train, most):
                total.add(self.encoder.in_slices(clean(batch, self._shape)))
                if self.wants_second_view and between.count < PAIRS:
                    views = self.encoder.in_slices(batch.views)
                    between.add(views[: len(batch.rows)] - views[len(batch.rows) :])
                steps.advance(len(batch.rows))
        return total, between


def _cut(x: Tensor, rows: Tensor, columns: Tensor, side: int) -> Tensor:
    """Squares (batch · each, channels, side, side) of images, with their first rows and columns (batch, each)."""
    along = torch.arange(side)
    row = (rows.flatten()[:, None, None] + along[:, None]).to(x.device)  # (batch · each, side, 1)
    column = (columns.flatten()[:, None, None] + along).to(x.device)  # (batch · each, 1, side)
    image = torch.arange(len(x), device=x.device).repeat_interleave(rows.shape[1])[:, None, None]
    return x.movedim(1, -1)[image, row, column].movedim(-1, 1)


def _image_shape(task: Task) -> tuple[int, int, int]:
    if len(task.input_shape) != 3:
        raise InputError(
            f"patches takes images (channels, height, width), given samples of shape {task.input_shape}: choose "
            "another method, such as autoencoder"
        )
    channels, height, width = task.input_shape
    if min(height, width) < LEAST_SIDE:
        raise InputError(
            f"patches takes images of at least {LEAST_SIDE} x {LEAST_SIDE} pixels, given {height} x {width}: choose "
            "another method, such as autoencoder"
        )
    return channels, height, width


def _patch_size(shape: tuple[int, int, int], wanted: int | None, stride: int, grid: int) -> int:
    """`InputError` if the patches of an image do not fill the grid."""
    shorter = min(shape[1:])
    side = wanted or min(PATCH_SIZE, shorter // 2)
    if side > shorter // 2:
        raise InputError(
            f"model.patch_size is {side}, but images are {shape[1]} x {shape[2]}: give at most half the shorter side, "
            f"{shorter // 2}"
        )
    if (there := (shorter - side) // stride + 1) < grid:
        raise InputError(
            f"images of {shape[1]} x {shape[2]} have only {there} patches of {side} x {side} in a row or column, fewer "
            f"than model.grid, {grid}: give a smaller model.stride, model.patch_size or model.grid"
        )
    return side
