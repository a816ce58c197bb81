"""What all methods have in common."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ae_pipelines.batches import Loader
from ae_pipelines.errors import InputError
from ae_pipelines.layouts import LayoutOptions
from ae_pipelines.models import Phase
from ae_pipelines.nets import Net, NetChoice


class Method(nn.Module):
    """A module that says how it is trained, and may encode, decode, or both.

    A method with an `encode(x)` keeps all that it needs in the child `encoder`; likewise `decode(z)` and
    `decoder`: so the halves can be taken apart and saved by themselves. `encode` is deterministic and gives a
    vector (batch, latent_size) or a feature map (batch, latent_size, height, width); `decode` takes the same.
    """

    latent_size: int
    encode: Callable[[Tensor], Tensor]
    decode: Callable[..., Tensor]
    """Declared for the type checker only: a method that cannot, has none."""
    conditional = False
    """Whether `decode(z, label)` takes class numbers, (batch,) int64, -1 where unknown."""
    generates = False
    """Whether latents drawn from a standard normal decode into new samples."""
    may_copy = False
    """Whether it would learn nothing but to copy an uncorrupted input, were its latent as large as that."""
    takes_corruptions = True
    """Whether it looks at inputs; if at targets alone, corrupting them would do nothing."""
    wants_labels = False
    wants_second_view = False
    wants_layout: LayoutOptions | None = None
    """What batches must have."""

    def phases(self) -> list[Phase]:
        """One after another, each until its epochs are over."""
        raise NotImplementedError

    def learns_from(self, labels: Tensor) -> Tensor:
        """Which samples of these class numbers (n,) teach it anything, as bools; the loader leaves out the others."""
        return torch.ones_like(labels, dtype=torch.bool)

    def measures(self, test: Loader) -> dict[str, float]:
        """What only this method can tell of samples it has not seen, beside its loss terms."""
        return {}


def pooled(z: Tensor) -> Tensor:
    """Latent vectors (batch, d) as they are; a feature map (batch, d, height, width) as its mean over positions."""
    return z.flatten(2).mean(2) if z.ndim == 4 else z


def of_vectors(net: NetChoice, method: str) -> Net:
    """The net, refused if its latents are feature maps."""
    family: Net = net.build()
    if family.latent != "vector":
        raise InputError(
            f"{method} needs latent vectors, but model.net.latent is {family.latent!r}: give 'vector', or use "
            "model.kind=autoencoder"
        )
    return family
