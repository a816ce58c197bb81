"""Latents that are mostly off."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.models.batch import Batch
from ae_pipelines.models.penalties import PENALTIES, Penalty, Weight


@PENALTIES.register("sparse_l1")
@dataclass(frozen=True, kw_only=True)
class SparseL1(Penalty):
    """|z|, averaged over latents and over the batch, so that it is comparable to an error averaged over features.

    The Laplace prior of sparse coding (Olshausen & Field 1996), on an encoder's output.
    """

    weight: Weight

    def __call__(self, encoder: nn.Module, batch: Batch, z: Tensor) -> Tensor:
        return self.weight * z.float().abs().mean()


@PENALTIES.register("sparse_kl")
@dataclass(frozen=True, kw_only=True)
class SparseKL(Penalty):
    """Σⱼ KL(ρ ‖ ρ̂ⱼ) in nats, summed over latents (Ng 2011, CS294A lecture notes, section 3; Lee et al. 2008).

    ρ is `target_activation`; ρ̂ⱼ is the mean of latent j in (0, 1) over the batch and, for maps, over positions.
    Departure: ρ̂ⱼ is held 1e-6 away from 0 and 1, so a latent that is off for the whole batch costs a finite amount.
    """

    weight: Weight
    target_activation: Annotated[float, Field(gt=0, lt=1)] = 0.05
    needs_unit_latents = True

    def __call__(self, encoder: nn.Module, batch: Batch, z: Tensor) -> Tensor:
        rho = self.target_activation
        rho_hat = z.float().transpose(0, 1).flatten(1).mean(1).clamp(1e-6, 1 - 1e-6)  # (d,)
        kl = rho * (rho / rho_hat).log() + (1 - rho) * ((1 - rho) / (1 - rho_hat)).log()
        return self.weight * kl.sum()
