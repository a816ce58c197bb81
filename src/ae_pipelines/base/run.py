"""The run that a piece of work belongs to: its id, who listens to its metrics, its parts, why there was nothing to do.

Whoever starts work passes its run on; without one, as in a notebook, it is `NO_RUN`.
"""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any

log = logging.getLogger(__name__)


class Run:
    """A run that nobody records."""

    id: str | None = None
    """By which what the work makes can be traced to it."""

    def report(self, metrics: dict[str, float], step: int) -> None:
        """Note these values at this step."""

    def part(self, name: str, parameters: dict[str, Any]) -> AbstractContextManager["Run"]:
        """The run of a part of the work, which has parameters and metrics of its own; this one, where parts are not
        told apart."""
        return nullcontext(self)

    def skip(self, reason: str) -> None:
        """Say that there is nothing to do, so that whoever started the work can tell it from work that was done."""
        log.info("nothing to do: %s", reason)


NO_RUN = Run()
