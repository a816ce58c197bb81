"""Vectors of feature maps."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.latents.pca import by_covariance

MOST_FEATURES = 2048
"""A map of more values is averaged over 2 × 2 positions, or 3 × 3, ...: their covariance is to be solved in seconds."""
MOST_SAMPLES = 20_000
"""Enough for that many features."""
LEARNED = ("vector_mean", "vector_directions")


class MapVectors(nn.Module):
    """The last layer of an encoder that gives maps (batch, channels, height, width): it lets them pass, and keeps what
    makes vectors of them, which is their principal components once `learn` has seen some, and until then, as in models
    from before it was there, their mean over positions."""

    vector_mean: Tensor | None
    """(features,)"""
    vector_directions: Tensor | None
    """(features, d), the largest variance first"""

    def __init__(self, size: int) -> None:
        """`size`: d, or as many as there are features or samples, if these are fewer."""
        super().__init__()
        self._size = size
        for name in LEARNED:
            self.register_buffer(name, None)

    def forward(self, z: Tensor) -> Tensor:
        return z

    def vectors(self, z: Tensor) -> Tensor:
        """(batch, d) of maps z."""
        if self.vector_mean is None or self.vector_directions is None:
            return z.flatten(2).mean(2)
        return (_features(z, len(self.vector_mean)) - self.vector_mean) @ self.vector_directions

    @property
    def has_learned(self) -> bool:
        return self.vector_directions is not None

    def learn(self, maps: Iterable[Tensor]) -> None:
        """From the first `MOST_SAMPLES` of these batches of maps, one batch at a time."""
        rows, device = 0, torch.device("cpu")

        def blocks() -> Iterator[np.ndarray]:
            nonlocal rows, device
            for z in maps:
                device = z.device
                yield _features(z.float(), MOST_FEATURES).cpu().numpy()
                rows += len(z)
                if rows >= MOST_SAMPLES:
                    return

        mean, directions = by_covariance(blocks(), self._size)
        self.vector_mean = torch.from_numpy(mean).to(device)
        self.vector_directions = torch.from_numpy(np.ascontiguousarray(directions[:, :rows])).to(device)

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        """Of the size that the file has."""
        for name in LEARNED:
            found = state_dict.get(prefix + name)
            if found is not None:
                setattr(self, name, torch.empty_like(found))
        super()._load_from_state_dict(state_dict, prefix, *rest)


def unlearned(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model without what `learn` has learned."""
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(LEARNED)}


def _features(z: Tensor, most: int) -> Tensor:
    """(batch, features) of maps z (batch, channels, height, width): all their values or, if that is more than `most`,
    those of the largest averages that are fewer; at an odd edge the average is over the values that are there."""
    channels, height, width = z.shape[1:]
    cell = next(c for c in count(1) if channels * -(-height // c) * -(-width // c) <= most or c >= max(height, width))
    return (F.avg_pool2d(z, cell, ceil_mode=True) if cell > 1 else z).flatten(1)
