"""What takes the place of a result that the data do not allow, while everything else is made."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

from ae_pipelines.base.errors import InputError

Made = TypeVar("Made")


@dataclass(frozen=True)
class Skipped:
    """Stands where a result would be that was left out on purpose."""

    why: str
    """What is missing, and what would be needed."""
    encoder: str
    """sha256 of the encoder on whose latents it would stand."""


@dataclass(frozen=True)
class NotAskedFor(Skipped):
    """Stands where a result would be that these options do not ask for: nothing is missing, and what an earlier run has
    made stays."""

    encoder: str = ""


def unless_skipped(function: Callable[..., Made]) -> Callable[..., Made | Skipped]:
    """The function, but where something that it is given was skipped, its result is skipped for the same reason."""

    @wraps(function)
    def result(*given: object) -> Made | Skipped:
        missing = next((value for value in given if isinstance(value, Skipped)), None)
        return function(*given) if missing is None else missing

    return result


def made(result: Made | Skipped, encoder: str, stage: str) -> Made | None:
    """The result of a stage, None where it was skipped; `InputError` if it was skipped for the latents of another
    encoder, since it may be possible for these."""
    if not isinstance(result, Skipped):
        return result
    if result.encoder != encoder:
        raise InputError(
            f"{stage} was skipped for latents of encoder {result.encoder[:12]}, but the encoder at hand is "
            f"{encoder[:12]}: run {stage} again"
        )
    return None
