"""A copy of a net that teaches it, and follows it slowly."""

import copy
from typing import TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


def teacher_of(student: Net) -> Net:
    """A copy that requires no gradients, to be a child of a `Method` but in no `Player`."""
    return copy.deepcopy(student).requires_grad_(False)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, momentum: float) -> None:
    """Each parameter of the teacher becomes momentum · its own + (1 - momentum) · the student's (Grill et al. 2020,
    eq. 1). Statistics of batch norm stay the teacher's own: they come from what it gets in training mode."""
    for own, other in zip(teacher.parameters(), student.parameters(), strict=True):
        own.lerp_(other, 1 - momentum)
