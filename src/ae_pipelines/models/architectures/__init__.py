"""Architectures of nets that were trained elsewhere: their layers, what these take, and where weights may be."""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.registry import Choice, Registry

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

ARCHITECTURES = Registry("architecture", __name__)
"""Makers of an `Architecture`."""

Colour = tuple[float, float, float]
"""A number each for red, green and blue."""


class ArchitectureChoice(Choice):
    """An architecture by kind."""

    registry = ARCHITECTURES


class Packaged(NamedTuple):
    """Weights that lie in a package that is installed."""

    path: "Path"
    source: str
    """The package and its version."""
    taught_by: str | None
    """What they were learned from; None: that is not known."""


class Architecture:
    """Layers of a net that somebody else has trained, and how images are given to it."""

    mean: Colour
    """Subtracted from colours in [0, 1]."""
    deviation: Colour
    """What the rest is divided by."""
    without: tuple[str, ...] = ()
    """How names in a weights file begin that are of no use here: those of the classifier."""

    def layers(self, size: int) -> "nn.Module":
        """(batch, 3, size, size), less the mean and divided by the deviation → features (batch, values), pooled over
        all positions; with random weights. `InputError` if a package that it needs is missing."""
        raise NotImplementedError

    def packaged(self) -> Packaged | None:
        """The weights that come with a package; None if there is none for it, `InputError` if it is not installed."""
        return None


def package(name: str, distribution: str) -> ModuleType:
    """An installed package; `InputError` says how it is installed."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:  # the latter where it was made for another version of torch
        raise InputError(
            f"model.architecture needs the package {distribution}, which cannot be imported ({error}): "
            f"pip install {distribution}"
        ) from error
