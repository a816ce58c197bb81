"""The run that a piece of work belongs to: its id, its metrics, its parts, and why there was nothing to do.

The caller passes its run on; without one, as in a notebook, it is `NO_RUN`.
"""

import logging
from contextlib import AbstractContextManager, nullcontext
from typing import Any

log = logging.getLogger(__name__)


class Run:
    """A run that nobody records."""

    id: str | None = None
    """Id that results carry, so that they can be traced to the run."""
    address: str | None = None
    """Where a browser shows it, if a server keeps it."""
    started: float | None = None
    """When it began, in seconds since the epoch."""

    def report(self, metrics: dict[str, float], step: int) -> None:
        """Record these metrics at this step."""

    def tag(self, name: str, value: str) -> None:
        """Say of this run what it can be found by."""

    def part(self, name: str, parameters: dict[str, Any]) -> AbstractContextManager["Run"]:
        """The run of a part of the work, with its own parameters and metrics; this run, where parts are not recorded
        separately."""
        return nullcontext(self)

    def skip(self, reason: str) -> None:
        """Report that there is nothing to do, so that the caller can tell this from finished work."""
        log.info("nothing to do: %s", reason)


NO_RUN = Run()
