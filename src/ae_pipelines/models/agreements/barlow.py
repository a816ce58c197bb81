"""Views whose values are correlated one by one."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models.agreements import AGREEMENTS, Agreement


@AGREEMENTS.register("barlow")
@dataclass(frozen=True, kw_only=True)
class BarlowTwins(Agreement):
    """Σᵢ (1 - Cᵢᵢ)² + `redundancy` · Σᵢ≠ⱼ Cᵢⱼ² with Cᵢⱼ the correlation over the batch of value i of one view and value
    j of the other (Zbontar et al. 2021, eq. 1 and 2, of values less their means)."""

    redundancy: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5e-3

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        one, other = (F.normalize(view - view.mean(0), dim=0) for view in (first, second))
        correlation = one.T @ other  # (width, width)
        own = correlation.diagonal()
        return (1 - own).square().sum() + self.redundancy * (correlation.square().sum() - own.square().sum())
