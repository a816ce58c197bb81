"""Which process a record belongs to, and whether that process is still there: by the system's own numbers, which no
clock changes."""

import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

HOST, PID, BOOT, TICKS, STARTED = "ae.host", "ae.pid", "ae.boot", "ae.process_ticks", "ae.process_started"
SPACE = "ae.pid_namespace"
"""Names of tags: the machine; the process's number; of the machine's start, an id; of the process's start, the clock
ticks since then; and its time, in seconds since the epoch, where the system tells neither id nor ticks; of the
container in which the number is meant, an id."""
ENDED = ("Z", "X")
"""States of a process that has ended, and whose parent has not asked how."""


def this_process() -> dict[str, str]:
    """Tags by which it can be told later whether this process is still there."""
    process = psutil.Process()
    known = {HOST: socket.gethostname(), PID: str(process.pid)}
    boot, found = _boot(), _state_and_ticks(process.pid)
    if boot is None or found is None:
        return known | {STARTED: str(process.create_time())}
    return known | {BOOT: boot, TICKS: found[1], SPACE: _space()}


def is_here(tags: Mapping[str, str]) -> bool:
    """Whether this process could see the one with these tags: on this machine, and not in another container that runs
    beside this one under the machine's name."""
    return tags.get(HOST) == socket.gethostname() and not _in_another_container(tags)


def _in_another_container(tags: Mapping[str, str]) -> bool:
    return tags.get(BOOT) == _boot() and tags.get(SPACE, _space()) != _space()


def still_there(tags: Mapping[str, str]) -> bool:
    """Whether the process of this machine with these tags has not ended; another one with its number is not it."""
    try:
        pid = int(tags[PID])
        if BOOT in tags:
            state, ticks = _state_and_ticks(pid) or ("X", "")
            return tags[BOOT] == _boot() and state not in ENDED and ticks == tags[TICKS]
        process = psutil.Process(pid)
        return abs(process.create_time() - float(tags[STARTED])) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return False


def _space() -> str:
    with suppress(OSError):
        return Path("/proc/self/ns/pid").readlink().name
    return ""


def _boot() -> str | None:
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return None


def _state_and_ticks(pid: int) -> tuple[str, str] | None:
    """Fields 3 and 22 of `/proc/<pid>/stat`; None where there is no such process, or system. Field 2, the name, may
    hold anything."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], fields[19]
    return None
