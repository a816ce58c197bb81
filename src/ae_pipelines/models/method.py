"""What all methods have in common."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.layout import LayoutOptions
from ae_pipelines.models import Ability, Phase
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.contract import Elsewhere
from ae_pipelines.models.nets import Net, NetChoice

Half = Literal["encoder", "decoder"]


class Method(nn.Module):
    """A module that says how it is trained, and may encode, decode, or both.

    A method with `encode(x)` keeps all that it needs in the child `encoder`, and likewise for `decode(z)` and
    `decoder`, so that the halves can be taken apart and saved by themselves. `encode` is deterministic and gives a
    vector (batch, latent_size) or a feature map (batch, latent_size, height, width); `decode` takes the same.
    `restore(x)` gives clean images, in [0, 1], for corrupted images x of any height and width; a method without it
    that has both halves restores images of the size it was trained with.

    Every parameter belongs to a player, or requires no gradients. The latter are a teacher's (`models/teacher.py`):
    they change only in `after_step`, and are saved, kept with the best weights and taken up like all others. Whatever
    else is needed to take up a training (a centre, a queue) is a buffer.
    """

    latent_size: int
    encode: Callable[[Tensor], Tensor]
    decode: Callable[..., Tensor]
    restore: Callable[[Tensor], Tensor]
    """These are declared for the type checker only: a method lacks those that it cannot do."""
    needs_option: ClassVar[Mapping[Ability, str]] = {}
    """What it can do only if the option named is not None: its class lacks it, and the constructor adds it."""
    conditional = False
    """Whether `decode(z, label)` takes class numbers, (batch,) int64, -1 where unknown."""
    generates = False
    """Whether latents drawn from a standard normal decode into new samples."""
    undoes_corruptions = False
    """Whether there is nothing to learn unless inputs are corrupted."""
    may_copy = False
    """Whether it would only learn to copy an uncorrupted input if its latent were as large as that."""
    needs_spread = False
    """Whether latents that tell samples apart are all that it is for, so that a training that loses them has failed."""
    least_spread = 1e-6
    """Of what is `compared`, the variance ÷ the mean square below which samples are not told apart."""
    if_collapsed = "Give a lower training.learning_rate, or another recipe"
    """What to change where latents do not tell samples apart."""
    learns_in_bfloat16 = False
    """Whether, with convolutions, it is known to learn well in bfloat16 (`benchmarks/precision.py` compares). A
    subclass with other terms says False until that is known of it, too."""
    takes_corruptions = True
    """Whether it looks at inputs; if only at targets, corruptions would change nothing."""
    wants_labels = False
    wants_second_view = False
    wants_layout: LayoutOptions | None = None
    """This and the two above: what batches must have."""
    wants_step = False
    """Whether its loss terms depend on the number of the step."""
    same_each_step = True
    """Whether training does the same operations on tensors of the same shapes in every step, with nothing read from the
    device, so that a GPU can repeat a recorded step (`training/graphs.py`)."""
    starts_elsewhere = False
    """Whether its weights start as those of a net that was trained elsewhere, on other samples."""
    elsewhere: Elsewhere | None = None
    """Where these come from, known after `start`."""
    _frozen = False

    @classmethod
    def check_elsewhere(cls, options: dict[str, Any]) -> None:
        """`InputError` if weights that were learned elsewhere are not there, or not what these options need; called
        before anything runs, of methods with `starts_elsewhere`."""

    def start(self) -> None:
        """Called when a model is to be trained, and not when a trained one is loaded: here it reads weights that were
        learned elsewhere."""

    def phases(self) -> list[Phase]:
        """The phases of its training, one after another, each until its epochs are over."""
        raise NotImplementedError

    def after_step(self, done: float) -> None:
        """Called in training after every player has had its turn, without gradients; `done`, in (0, 1], is the share
        of the phase's steps that are done. This is where a teacher follows."""

    def complete(self, train: Loader) -> None:
        """Called once, in evaluation mode and without gradients, when phases are over and the best weights are back:
        here a method learns what has a closed form (directions, scales, centroids) from train batches, and keeps it in
        buffers. A method without parameters has no phases and learns everything here."""

    def try_completing(self, batch: Batch) -> None:
        """Called before training: does with a small batch what `complete` does with the corrupted inputs of its own, so
        that it is known to take their shape."""

    def learned(self) -> list[dict[str, float]]:
        """How well `complete` did, as a list of what its steps reached: losses ("<part>/<term>"), from buffers. They
        are the history of a method without phases."""
        return []

    @property
    def completes(self) -> bool:
        """Whether `complete` has something to learn."""
        return type(self).complete is not Method.complete

    def learns_from(self, labels: Tensor) -> Tensor:
        """Whether it learns from samples with these class numbers (n,), as bools; the loader leaves out the others."""
        return torch.ones_like(labels, dtype=torch.bool)

    def compared(self, x: Tensor) -> Tensor:
        """What its losses tell samples apart by, (batch, width), of inputs x: latents, unless it projects them."""
        return self.encode(x)

    def vectors(self, z: Tensor) -> Tensor:
        """Latent vectors (batch, d), as files have them, of what `encode` gave: vectors as they are, a feature map
        (batch, d, height, width) as its mean over positions unless the method knows better."""
        return z.flatten(2).mean(2) if z.ndim == 4 else z

    def measures(self, test: Loader) -> dict[str, float]:
        """Metrics that only this method has for unseen samples, beside its loss terms."""
        return {}

    def take_encoder(self, tensors: dict[str, Tensor]) -> None:
        """Start from these weights of another encoder, by their names in a method; a teacher that starts as the
        encoder's copy must be given them here, too."""
        self.load_state_dict(tensors, strict=False)

    def freeze_encoder(self) -> None:
        """From now on training leaves the encoder as it is: its weights, and the statistics of its batch norm."""
        self.get_submodule("encoder").requires_grad_(False)
        self._frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As in torch, but a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self._frozen and hasattr(self, "encoder"):  # the rest of one of several has none (`models/joined.py`)
            self.get_submodule("encoder").eval()
        return self


def device_of(module: nn.Module) -> torch.device:
    """Where its parameters and buffers are; without any, the CPU."""
    tensors = itertools.chain(module.parameters(), module.buffers())
    return next((tensor.device for tensor in tensors), torch.device("cpu"))


def of_half(tensors: dict[str, Tensor], half: Half) -> dict[str, Tensor]:
    """The tensors of one half of a method, by their names in the method."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(f"{half}.")}


def keep_half(method: Method, half: Half) -> Method:
    """`method` itself with only this half left: without other children, and parameters and buffers of its own."""
    own = [*method.named_parameters(recurse=False), *method.named_buffers(recurse=False), *method.named_children()]
    for name, _ in own:
        if name != half:
            delattr(method, name)
    return method


def restores(method: Method) -> bool:
    """Whether a method can make clean samples of corrupted ones, if it is trained to."""
    return hasattr(method, "restore") or (hasattr(method, "encode") and hasattr(method, "decode"))


def restored(method: Method, x: Tensor) -> Tensor:
    """Clean samples for corrupted ones x, of the shape it was trained with; `restore` takes other shapes, too."""
    return method.restore(x) if hasattr(method, "restore") else method.decode(method.encode(x))


def of_vectors(net: NetChoice, method: str) -> Net:
    """The net; `InputError` if its latents are feature maps."""
    family: Net = net.build()
    if family.latent != "vector":
        raise InputError(
            f"{method} needs latent vectors, but model.net.latent is {family.latent!r}: give 'vector', or use "
            "model.kind=autoencoder"
        )
    return family
