"""Many processes that use MLflow, of which one imports it: what starts others is a process that has no threads."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CODE = """
import os, sys, traceback
from pathlib import Path
import mlflow
from ae_pipelines.tracking import store

print("ready", flush=True)
for line in sys.stdin:
    if line.startswith("wait "):
        print(os.waitstatus_to_exitcode(os.waitpid(int(line.split()[1]), 0)[1]), flush=True)
        continue
    if (pid := os.fork()) == 0:
        code = 1
        try:
            exec(eval(line))
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    print(pid, flush=True)
"""


class Forked:
    """Starts processes."""

    def __init__(self, starter: subprocess.Popen) -> None:
        self._starter = starter

    def start(self, code: str) -> int:
        """A process that does this; gives its pid."""
        return int(self._ask(repr(code)))

    def end(self, pid: int, kill: bool = False) -> int:
        """Waits for it, or kills it; gives its exit code, which is negative where a signal ended it."""
        if kill:
            os.kill(pid, signal.SIGKILL)
        return int(self._ask(f"wait {pid}"))

    def _ask(self, line: str) -> str:
        self._starter.stdin.write(f"{line}\n")
        self._starter.stdin.flush()
        return self._starter.stdout.readline()


@contextmanager
def forked(uri: str | None, folder: Path) -> Iterator[Forked]:
    """Processes whose store is at this address, by default in a folder."""
    others = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "AE_RUN")}
    given = {} if uri is None else {"MLFLOW_TRACKING_URI": uri}
    command = [sys.executable, "-c", CODE]
    with (
        (folder / "said.log").open("w") as said,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True, env=others | given
        ) as starter,
    ):
        assert starter.stdout.readline() == "ready\n", (folder / "said.log").read_text()
        yield Forked(starter)
        starter.stdin.close()
