"""What an encoder pays for, besides reconstruction errors."""

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.downstream.layout import LayoutOptions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ae_pipelines.models.batch import Batch

PENALTIES = Registry("penalty", __name__)
"""Makers of a `Penalty`; each takes a `weight`."""

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""What a penalty is multiplied with; mind that mse, bce and l1 are averaged over features."""


class PenaltyChoice(Choice):
    """A penalty by kind."""

    registry = PENALTIES


class Penalty:
    """A weighted term of the encoder's loss."""

    needs_unit_latents = False
    """Whether latents must lie in (0, 1), so that the encoder must end in a sigmoid."""

    @property
    def layout(self) -> LayoutOptions | None:
        """What batches must have as their `layout`; None: nothing."""
        return None

    def __call__(self, encoder: "nn.Module", batch: "Batch", z: "Tensor") -> "Tensor":
        """Weighted scalar of a batch, whose input x (batch, *shape) requires grad, and z = encoder(x).

        z is (batch, d), or a map (batch, d, h, w).
        """
        raise NotImplementedError
