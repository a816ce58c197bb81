"""Mean and covariance, summed batch by batch."""

import torch
from torch import Tensor


class Moments:
    """Of vectors (n, values) that are never in memory at once. Sums are float64, on the CPU, where every device has
    them."""

    def __init__(self, values: int) -> None:
        self.count = 0
        self._sum = torch.zeros(values, dtype=torch.float64)
        self._products = torch.zeros(values, values, dtype=torch.float64)

    def add(self, vectors: Tensor) -> None:
        """Count these (batch, values), too."""
        self.count += len(vectors)
        self._sum += vectors.sum(0).cpu()
        self._products += (vectors.T @ vectors).cpu()

    @property
    def mean(self) -> Tensor:
        """(values,), float64."""
        return self._sum / self.count

    @property
    def mean_products(self) -> Tensor:
        """(values, values), float64: the covariance, if the mean is known to be zero."""
        return self._products / self.count

    @property
    def covariance(self) -> Tensor:
        """(values, values), float64."""
        return self.mean_products - torch.outer(self.mean, self.mean)
