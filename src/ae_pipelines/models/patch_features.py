"""Features of images that need no gradients: how near each small patch is to those of a dictionary."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models.directions import Features
from ae_pipelines.models.moments import Moments

SLICE_VALUES = 2**20
"""Distances that are held at once: few, so that they stay in the processor's cache, whatever the batch."""
CHUNK_ROWS = 8192
"""Patches whose distances to all centroids k-means holds at once."""
FLOOR = 0.005
"""What is added to the variance of a patch before it is divided by it, as a share of the mean variance: flat patches
stay flat. About the 10 of Coates & Ng, whose pixels go up to 255."""
WHITENING_FLOOR = 0.1
"""Added to variances along principal axes before they are made equal, so that noise is not blown up; their mean is at
most 1."""


class PatchFeatures(Features):
    """Images (batch, channels, height, width) → features (batch, grid² · centroids), not negative.

    Every `stride` pixels a patch is taken, its brightness and contrast are normalised, it is whitened and compared with
    the centroids: its value for one is by how much it is nearer than to the mean of all, or zero ("triangle"; Coates,
    Lee & Ng 2011, eq. 4). The values are averaged over `grid` × `grid` parts of the image, which share a row or a
    column of patches where these do not divide. Their square root is taken, so that what is common in an image does not
    drown what is rare (Perronnin et al. 2010), which the paper on patches does not do.

    Whitening is by principal axes, where the paper takes ZCA: this is a rotation of that, so distances are the same.
    One convolution then gives the axes and, since they are orthonormal, the contrast. Before it has learned anything
    the axes and centroids are random.
    """

    filters: Tensor
    floor: Tensor
    scale: Tensor
    offset: Tensor
    centroids: Tensor
    inertia: Tensor

    def __init__(
        self, shape: tuple[int, int, int], *, patch_size: int, stride: int, centroids: int, grid: int, iterations: int
    ) -> None:
        super().__init__()
        channels, height, width = shape
        values = channels * patch_size**2
        self._stride, self._grid = stride, grid
        rows, columns = ((side - patch_size) // stride + 1 for side in (height, width))
        self.size, self.samples_at_once = centroids * grid**2, max(1, SLICE_VALUES // (rows * columns * centroids))
        axes = torch.linalg.qr(torch.randn(values, values)).Q
        self.register_buffer("filters", _without_brightness(axes).view(values, channels, patch_size, patch_size))
        self.register_buffer("floor", torch.tensor(1e-3))
        self.register_buffer("scale", torch.ones(values))
        self.register_buffer("offset", torch.zeros(values))
        self.register_buffer("centroids", torch.randn(centroids, values))
        self.register_buffer("inertia", torch.zeros(iterations))

    def forward(self, x: Tensor) -> Tensor:
        return self.pooled(self.triangle(self.whitened(x))).sqrt()

    def whitened(self, x: Tensor) -> Tensor:
        """Patches (batch, values, rows, columns) with normalised contrast, and whitened."""
        along = F.conv2d(x, self.filters, stride=self._stride)
        contrast = (along.square().mean(1, keepdim=True) + self.floor).sqrt()
        return along / contrast * self.scale[:, None, None] - self.offset[:, None, None]

    def triangle(self, patches: Tensor) -> Tensor:
        """(batch, centroids, rows, columns) of whitened patches (batch, values, rows, columns)."""
        distance = self.squared_distances(patches).sqrt()
        return (distance.mean(1, keepdim=True) - distance).clamp_min(0)

    def squared_distances(self, patches: Tensor) -> Tensor:
        """(batch, centroids, rows, columns) of whitened patches (batch, values, rows, columns), in one convolution."""
        lengths = patches.square().sum(1, keepdim=True)
        weights = torch.cat([-2 * self.centroids, torch.ones_like(self.centroids[:, :1])], 1)[:, :, None, None]
        squared = F.conv2d(torch.cat([patches, lengths], 1), weights, self.centroids.square().sum(1))
        return squared.clamp_min(0)

    def pooled(self, maps: Tensor) -> Tensor:
        """Means over the parts of an image, which may be smaller than those that it is made for, (batch, centroids ·
        grid²)."""
        steps = [length // self._grid for length in maps.shape[2:]]
        sides = [length - (self._grid - 1) * step for length, step in zip(maps.shape[2:], steps, strict=True)]
        return F.avg_pool2d(maps, sides, steps).flatten(1)

    # -- learning ----------------------------------------------------------------------------------------

    def learn(self, patches: Tensor) -> None:
        """From patches (n, channels, patch_size, patch_size): their principal axes, then the centroids of whitened
        ones, by k-means."""
        self._learn_whitening(patches.flatten(1))
        whitened = torch.cat([self.whitened(chunk).flatten(1) for chunk in patches.split(CHUNK_ROWS)])
        centroids, inertia = k_means(whitened, len(self.centroids), len(self.inertia))
        self.centroids.copy_(centroids)
        self.inertia.copy_(inertia)

    def _learn_whitening(self, patches: Tensor) -> None:
        centred = patches - patches.mean(1, keepdim=True)
        self.floor.copy_((FLOOR * centred.square().mean()).clamp_min(1e-12))
        normalised = Moments(centred.shape[1])
        for chunk in centred.split(CHUNK_ROWS):
            normalised.add(chunk / (chunk.square().mean(1, keepdim=True) + self.floor).sqrt())
        variances, axes = torch.linalg.eigh(normalised.covariance)
        self.filters.copy_(_without_brightness(axes).view_as(self.filters))
        scale = (variances.clamp_min(0) + WHITENING_FLOOR).rsqrt()
        self.scale.copy_(scale)
        self.offset.copy_(scale * (normalised.mean @ axes))


def k_means(points: Tensor, count: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Centroids (count, values) of points (n, values), and before each iteration the mean squared distance of a point
    to its nearest (iterations,). They start as points drawn by torch's global generator; one that no point is nearest
    to starts again from another. Sums are by matrix products, so that a GPU gives the same each time."""
    start = torch.randperm(len(points))[:count]
    centroids, lengths = points[start.to(points.device)], points.square().sum(1)
    inertia = torch.zeros(iterations)
    for iteration in range(iterations):
        sums, sizes = torch.zeros_like(centroids), torch.zeros_like(centroids[:, 0])
        total = 0.0
        for chunk, length in zip(points.split(CHUNK_ROWS), lengths.split(CHUNK_ROWS), strict=True):
            nearest = torch.addmm(centroids.square().sum(1), chunk, centroids.T, alpha=-2).min(1)
            member = F.one_hot(nearest.indices, count).to(chunk.dtype)
            sums += member.T @ chunk
            sizes += member.sum(0)
            total += float((nearest.values + length).sum())
        inertia[iteration] = total / len(points)
        drawn = points[torch.randint(len(points), (count,)).to(points.device)]
        centroids = torch.where(sizes[:, None] > 0, sums / sizes.clamp_min(1)[:, None], drawn)
    return centroids, inertia


def _without_brightness(axes: Tensor) -> Tensor:
    """Filters (axes, values), of axes in columns (values, axes), that give coordinates of patches less their mean."""
    return axes.T - axes.T.mean(1, keepdim=True)
