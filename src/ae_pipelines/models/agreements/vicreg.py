"""Views that agree, with values that vary and are not correlated."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models.agreements import AGREEMENTS, Agreement

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@AGREEMENTS.register("vicreg")
@dataclass(frozen=True, kw_only=True)
class VICReg(Agreement):
    """`invariance` · mean squared difference of both views + `variance` · how far deviations fall short of 1 +
    `covariance` · squared covariances, the latter two of both views added (Bardes et al. 2022, eq. 6; the difference is
    averaged over values, as in their algorithm 1)."""

    invariance: Weight = 25.0
    variance: Weight = 25.0
    covariance: Weight = 1.0

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        short, correlated = first.new_zeros(()), first.new_zeros(())
        for view in (first, second):
            centred = view - view.mean(0)
            covariance = centred.T @ centred / max(len(view) - 1, 1)  # (width, width)
            variances = covariance.diagonal()
            short = short + (1 - (variances + 1e-4).sqrt()).clamp_min(0).mean()
            correlated = correlated + (covariance.square().sum() - variances.square().sum()) / view.shape[1]
        return self.invariance * F.mse_loss(first, second) + self.variance * short + self.covariance * correlated
