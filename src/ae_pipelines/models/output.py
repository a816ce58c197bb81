"""What a decoder's raw values become."""

from dataclasses import dataclass
from typing import Literal, Self

from torch import Tensor

from ae_pipelines.samples.spec import SampleSpec

OutputKind = Literal["sigmoid", "linear"]
"""For images a sigmoid, or linear and clipped to [0, 1] where they are decoded; samples that are not images always have
a linear output."""


@dataclass(frozen=True)
class Output:
    """Raw values (batch, *shape) → samples, in [0, 1] for images."""

    bounded: bool
    """Whether they go through a sigmoid; losses are told so."""
    cut: bool
    """Whether they are clipped to [0, 1]; losses see them unclipped."""

    @classmethod
    def of(cls, samples: SampleSpec, kind: OutputKind) -> Self:
        return cls(bounded=samples.bounded and kind == "sigmoid", cut=samples.bounded and kind == "linear")

    def __call__(self, raw: Tensor) -> Tensor:
        if self.cut:
            return raw.clamp(0, 1)
        return raw.sigmoid() if self.bounded else raw
