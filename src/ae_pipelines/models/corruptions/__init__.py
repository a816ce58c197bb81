"""What is done to a target so that the encoder has to work: `input = corrupt(target)`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.samples.spec import SampleSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from torch import Tensor

    from ae_pipelines.models.batch import Corrupt

CORRUPTIONS = Registry("corruption", __name__)
"""Makers of a `Corruption`."""


class Corruption:
    """Turns targets into inputs, whole batches at a time on their device, seeded by the generator alone."""

    random: ClassVar[bool] = True
    """Whether it uses the generator, so that each sample of a batch is corrupted in its own way."""
    keeps_bounds: bool = True
    """Whether values in [0, 1] stay there."""
    nothing: ClassVar[dict[str, Any] | None] = None
    """Options with which it returns exactly the target; None: it always changes something."""

    def corrupted_spec(self, clean: SampleSpec) -> SampleSpec:
        """Spec of what it makes of samples like these, by default the same; `InputError` if it cannot take them."""
        return clean

    def __call__(self, target: "Tensor", generator: "torch.Generator") -> "Tensor":
        """The corrupted batch; `target` (batch, *shape) stays as it is."""
        raise NotImplementedError

    def reshaped(self, clean: "Tensor", generator: "torch.Generator") -> "Tensor":
        """Clean samples (batch, *shape) in the shape of corrupted ones, for an encoder that was trained on these; never
        random. By default the corruption itself, which a random one that changes the shape must not leave at that."""
        return self(clean, generator)


class CorruptionChoice(Choice):
    """A corruption by kind."""

    registry = CORRUPTIONS


def one_after_another(corruptions: "Sequence[Corrupt]") -> "Corrupt | None":
    """All of them in order, as one corruption; None if there are none."""
    if not corruptions:
        return None

    def corrupt(target: "Tensor", generator: "torch.Generator") -> "Tensor":
        for corruption in corruptions:
            target = corruption(target, generator)
        return target

    return corrupt


def corrupted_spec(corruptions: Iterable[Corruption], clean: SampleSpec) -> SampleSpec:
    """Spec of what all of them make, in order; `InputError` from the first that cannot take what it is given."""
    for corruption in corruptions:
        clean = corruption.corrupted_spec(clean)
    return clean


def images_only(clean: SampleSpec, kind: str) -> SampleSpec:
    """`clean` itself; `InputError` unless its samples are images."""
    if len(clean.shape) != 3:
        raise InputError(
            f"{kind} takes images (channels, height, width), given samples of shape {clean.shape}: "
            "choose another corruption, such as masking"
        )
    return clean


def bounded_only(clean: SampleSpec, kind: str) -> SampleSpec:
    """`clean` itself; `InputError` unless its values lie in [0, 1]."""
    if not clean.bounded:
        raise InputError(
            f"{kind} takes samples with values in [0, 1] (uint8 images), given {clean.dtype} samples without bounds: "
            "choose another corruption, such as masking or gaussian_noise"
        )
    return clean
