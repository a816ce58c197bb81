"""Agreements: losses that are low where two views of one sample are alike, and samples are not."""

from typing import TYPE_CHECKING

from ae_pipelines.base.registry import Choice, Registry

if TYPE_CHECKING:
    from torch import Tensor

AGREEMENTS = Registry("agreement", __name__)
"""Makers of an `Agreement`."""


class AgreementChoice(Choice):
    """A loss of two views by kind."""

    registry = AGREEMENTS


class Agreement:
    """A loss of what two views of a batch are projected to."""

    judged = True
    """Whether a lower loss means a better encoder, so that the best weights are kept."""
    predictor_width: int | None = None
    """Width of the hidden layer of a predictor; None: there is neither predictor nor teacher. With them, what is
    predicted from one view is compared with what the teacher projects the other to."""

    def momentum(self, done: float) -> float:
        """Of the teacher, when the share `done` of the steps is done."""
        raise NotImplementedError

    def __call__(self, first: "Tensor", second: "Tensor") -> "Tensor":
        """A scalar for the projections of both views, each (batch, width), float32; row i of both is one sample."""
        raise NotImplementedError
