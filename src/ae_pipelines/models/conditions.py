"""Labels as an input of nets."""

from math import prod

import torch
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.contract import Task
from ae_pipelines.models.nets import Net


def refuse_without_labels(task: Task, kind: str) -> None:
    """`InputError` unless there are at least two classes to tell apart."""
    if len(task.classes) < 2:
        found = f"the train samples have {len(task.classes)} different labels"
        raise InputError(f"{kind} needs labels of at least two classes, but {found}: give labels, or another recipe")


def one_hot(label: Tensor | None, like: Tensor, classes: int) -> Tensor:
    """Class numbers (batch,) as rows (batch, classes) with a single one, or only zeros where the label is unknown (-1,
    or None for all)."""
    if label is None:
        return like.new_zeros(len(like), classes)
    return (label[:, None] == torch.arange(classes, device=label.device)).to(like.dtype)  # nobody waits for a device


def joined(z: Tensor, label: Tensor | None, classes: int) -> Tensor:
    """(batch, d) and class numbers (batch,) → (batch, d + classes)"""
    return torch.cat([z, one_hot(label, z, classes)], dim=1)


class ConditionalEncoder(nn.Module):
    """An encoder that may be given the label: with images as one more channel, a picture that it learns for each
    class; with vectors as more features. Both are zero for an unknown label."""

    def __init__(self, net: Net, shape: tuple[int, ...], outputs: int, classes: int) -> None:
        super().__init__()
        self._classes = classes
        self._images = len(shape) > 1
        self.picture = nn.Linear(classes, prod(shape[1:]), bias=False) if self._images else nn.Identity()
        more = 1 if self._images else classes
        self.net = net.encoder((shape[0] + more, *shape[1:]), outputs)

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """x (batch, *shape), class numbers (batch,) → (batch, outputs)"""
        condition = self.picture(one_hot(label, x, self._classes))
        return self.net(torch.cat([x, condition.view(len(x), -1, *x.shape[2:])], dim=1))
