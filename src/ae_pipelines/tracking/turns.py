"""One process at a time, where all of them see the same file, or the same MLflow server."""

import json
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock

from ae_pipelines.tracking.process import HOST, PID, is_here, still_there, this_process

log = logging.getLogger(__name__)

TICKET = "ae.turn."
"""The beginning of the names of an experiment's tags that are tickets."""
ASK_EVERY = 0.1
"""Seconds between two looks at who is next."""
LONGEST_ELSEWHERE = 600.0
"""Seconds after which a ticket of another machine that stays as it is is taken to be that of a killed process."""
_held: set[str] = set()
"""Tickets of this process."""
_inside = threading.local()


@contextmanager
def by_file(database: Path) -> Iterator[None]:
    """Within this block no other process is in one with the same file; OSError if it cannot be locked."""
    database.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{database}.lock").touch()  # where no file can be made, as in /proc, FileLock would try for ever
    with FileLock(f"{database}.lock", is_singleton=True):  # whoever holds it may enter again
        yield


@contextmanager
def on_server(client: Any, experiment: str) -> Iterator[None]:
    """Within this block no other process is in one with the same experiment of the same server.

    Lamport's bakery (1974): MLflow can neither compare and set nor lock, but whoever draws a number one higher than all
    that are drawn, and says before that it is about to, needs to do nothing but read and write. Tickets are tags of the
    experiment. One whose process is gone counts no more.
    """
    if getattr(_inside, "block", False):  # whoever is in it may enter again
        yield
        return
    mine = TICKET + uuid4().hex
    _held.add(mine)
    try:
        _draw(client, experiment, mine, 0)
        number = 1 + max((ticket.number for ticket in _tickets(client, experiment)), default=0)
        _draw(client, experiment, mine, number)
        _wait(client, experiment, (number, mine))
        _inside.block = True
        yield
    finally:
        _inside.block = False
        _held.discard(mine)
        _tear(client, experiment, mine)


@dataclass(frozen=True)
class _Ticket:
    name: str
    text: str

    @cached_property
    def holder(self) -> dict[str, str]:
        return dict(json.loads(self.text))

    @property
    def number(self) -> int:
        """0 while it is about to be drawn."""
        return int(self.holder["number"])

    @property
    def gone(self) -> bool:
        """Whether it is one of this machine, and nobody holds it."""
        if not is_here(self.holder):
            return False
        ours = self.holder[PID] == this_process()[PID]
        return not still_there(self.holder) or (ours and self.name not in _held)


def _draw(client: Any, experiment: str, name: str, number: int) -> None:
    client.set_experiment_tag(experiment, name, json.dumps({"number": str(number)} | this_process()))


def _tickets(client: Any, experiment: str) -> list[_Ticket]:
    tags = client.get_experiment(experiment).tags
    return [_Ticket(name, text) for name, text in tags.items() if name.startswith(TICKET) and text]


def _wait(client: Any, experiment: str, own: tuple[int, str]) -> None:
    """Until it is the turn of the ticket with this number and name: of equal numbers the first name is first."""
    seen: dict[_Ticket, float] = {}
    while ahead := [ticket for ticket in _tickets(client, experiment) if (ticket.number, ticket.name) < own]:
        for ticket in ahead:
            if ticket not in seen and not ticket.gone:
                log.info("waiting for process %s of %s, whose turn it is", ticket.holder[PID], ticket.holder[HOST])
            since = seen.setdefault(ticket, time.monotonic())
            if ticket.gone or (not is_here(ticket.holder) and time.monotonic() - since > LONGEST_ELSEWHERE):
                log.warning("process %s of %s seems to have been killed", ticket.holder[PID], ticket.holder[HOST])
                _tear(client, experiment, ticket.name)
        time.sleep(ASK_EVERY)


def _tear(client: Any, experiment: str, name: str) -> None:
    """Remove a ticket; what cannot be removed counts no more once its process is gone."""
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):  # another process may have found it gone too
        client.delete_experiment_tag(experiment, name)
