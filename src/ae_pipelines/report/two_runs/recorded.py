"""What is on record of a run, beside its folder."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Recorded:
    """What MLflow knows of a run."""

    id: str
    name: str
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    """By stage, under the names that stages give them."""
    parameters: dict[str, str] = field(default_factory=dict)
    """By dotted name."""
    address: str | None = None
    """Where it can be looked at in a browser."""


class Records(Protocol):
    """All runs that are on record."""

    def of(self, run_id: str) -> Recorded | None:
        """What is known of a run; None where it is unknown."""
        ...


class NoRecords:
    """Nothing is on record, as in a notebook."""

    def of(self, run_id: str) -> Recorded | None:
        return None
