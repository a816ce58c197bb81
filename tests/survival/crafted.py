"""How what is crafted ends when it is opened: `python crafted.py <folder> <case> ...` says so, a line of JSON each."""

import contextlib
import ctypes
import gc
import json
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 60
"""After which a case counts as hanging."""
CANARY = "canary"
"""File that crafted code would write."""
ADDRESS_SPACE = 24 * 2**30
"""A limit for the worst, so that an attack that works does not take the machine along."""


@dataclass(frozen=True)
class Case:
    """A file that someone crafted."""

    craft: Callable[[Path], Callable[[], object]]
    """Makes it in a folder, and gives what opens it; not measured."""
    short: bool
    """Whether it is tried in the short form, too."""
    refused: bool
    """Whether it has to be refused, not only to do no harm."""


class Hanging(BaseException):
    """A case takes too long."""


CASES: dict[str, Case] = {}


def case(name: str, short: bool = False, refused: bool = True) -> Callable[[Callable], Callable]:
    """Register a function that makes a file in a folder and gives what opens it."""

    def register(craft: Callable[[Path], Callable[[], object]]) -> Callable:
        CASES[name] = Case(craft, short, refused)
        return craft

    return register


# -- how a case ends ---------------------------------------------------------------------------------------


def tried(name: str, folder: Path) -> dict[str, Any]:
    """How a case ends: `refused` with one sentence, `read`, `hang`, or `traceback`; and the peak of memory, MB."""
    from ae_pipelines.base.errors import InputError

    folder.mkdir(parents=True)
    opening = CASES[name].craft(folder)
    release()
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here (proc(5))
    said = ""
    signal.alarm(SECONDS)
    try:
        opening()
        end = "read"
    except InputError as error:
        end, said = "refused", str(error)
    except Hanging:
        end = "hang"
    except BaseException:
        end, said = "traceback", traceback.format_exc()[-1500:]
    finally:
        signal.alarm(0)
    code = [path.name for path in folder.rglob(CANARY)]
    peak = (memory("VmHWM") - before) / 1e6
    return {"case": name, "end": end, "said": said, "peak": round(peak), "code": bool(code)}


def release() -> None:
    """Give back what making a file has taken, so that the peak is that of opening it."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL("libc.so.6").malloc_trim(0)


def memory(field: str) -> int:
    """Bytes, by the kernel's name: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


def _hanging(*_: object) -> None:
    raise Hanging


def main(folder: str, *names: str) -> None:
    signal.signal(signal.SIGALRM, _hanging)
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    import crafted  # the module that cases were registered in
    import crafted_files  # noqa: F401  registers the cases

    for name in names:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            with contextlib.redirect_stdout(sys.stderr):
                found = crafted.tried(name, Path(place) / "crafted")
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
