"""Penalties: loss terms of an encoder beside reconstruction."""

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
"""Factor of a penalty; note that mse, bce and l1 are averaged over features."""


class PenaltyChoice(Choice):
    """A penalty by kind."""

    registry = PENALTIES


class Penalty:
    """A weighted term of the encoder's loss."""

    needs_unit_latents = False
    """Whether latents must lie in (0, 1), so that the encoder must end in a sigmoid."""

    @property
    def layout(self) -> LayoutOptions | None:
        """Options of the layout that batches must have; None: they need none."""
        return None

    def __call__(self, encoder: "nn.Module", batch: "Batch", z: "Tensor") -> "Tensor":
        """Weighted scalar for a batch whose input x (batch, *shape) requires grad, with z = encoder(x).

        z is (batch, d), or a map (batch, d, h, w).
        """
        raise NotImplementedError
