"""Nearest vectors in plain tensor operations."""

import numpy as np
import torch
from torch import Tensor, nn

from ae_pipelines.scoring.onnx.parts import tensor

ROUNDING = 1e-5
"""Relative to the largest value among the known vectors: what lies nearer than this is the same vector, computed by
another program. That program rounds differently, so it cannot be told by equality, as elsewhere in this project."""
SPARE = 4
"""More candidates than wanted, since candidates are found by rounded distances."""


class Nearest(nn.Module):
    """The `count` nearest of `known` (n, d) for each vector (batch, d), nearest first, by comparing all."""

    def __init__(self, known: np.ndarray, count: int) -> None:
        super().__init__()
        self._count, self._candidates = min(count, len(known)), min(count + SPARE, len(known))
        centre = known.mean(axis=0, dtype=np.float64).astype(np.float32)
        moved = known - centre  # squares of values near zero are rounded less
        self._centre = nn.Buffer(tensor(centre))
        self._known = nn.Buffer(tensor(moved))
        self._squares = nn.Buffer(tensor(np.square(moved, dtype=np.float64).sum(axis=1)))
        self._same = ROUNDING * float(np.abs(known).max(initial=0))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Distances (batch, count), positions (batch, count) int64, and whether the nearest is z itself (batch,)."""
        z = z - self._centre
        rough = self._squares - 2 * z @ self._known.T  # less ‖z‖², which does not change the order
        candidates = rough.topk(self._candidates, largest=False).indices
        distances = torch.linalg.vector_norm(z[:, None] - self._known[candidates], dim=2)  # (batch, candidates)
        distances, order = distances.topk(self._count, largest=False)
        return distances, candidates.gather(1, order), distances[:, 0] <= self._same
