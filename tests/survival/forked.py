"""Many processes that use MLflow, of which one imports it: what starts the others is a process without threads."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CODE = """
import os, sys, traceback
from pathlib import Path
import mlflow
from mlflow.exceptions import MlflowException
from ae_pipelines.project import locking
from ae_pipelines.tracking import runs, store

print("ready", flush=True)
for line in sys.stdin:
    if line.startswith("wait "):
        print(os.waitstatus_to_exitcode(os.waitpid(int(line.split()[1]), 0)[1]), flush=True)
        continue
    if (pid := os.fork()) == 0:
        code = 1
        os.dup2(2, 1)  # MLflow prints, too
        try:
            uri, others, work = eval(line)
            os.environ |= {"MLFLOW_TRACKING_URI": uri, **others}
            exec(work)
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    print(pid, flush=True)
"""
SERVER = """
from mlflow.server import app
from werkzeug.serving import make_server

server = make_server("127.0.0.1", 0, app, threaded=True)
Path({at!r}).with_suffix(".tmp").write_text(str(server.port))
Path({at!r}).with_suffix(".tmp").rename({at!r})
server.serve_forever()
"""


class Forked:
    """Starts processes; what they say is in the file `said`."""

    def __init__(self, starter: subprocess.Popen, said: Path) -> None:
        self._starter, self.said = starter, said

    def start(self, uri: str, work: str, **environment: str) -> int:
        """A process that does this, with a store at this address; gives its pid."""
        return int(self._ask(repr((uri, environment, work))))

    def end(self, pid: int, kill: bool = False) -> int:
        """Waits for it, or kills it; gives its exit code, which is negative where a signal ended it."""
        if kill:
            os.kill(pid, signal.SIGKILL)
        return int(self._ask(f"wait {pid}"))

    def together(self, uri: str, works: list[str], **environment: str) -> list[int]:
        """Processes that begin at once; gives their exit codes."""
        pids = [self.start(uri, work, **environment) for work in works]
        return [self.end(pid) for pid in pids]

    @contextmanager
    def server(self, uri: str, folder: Path) -> Iterator[str]:
        """An MLflow server of a store; gives its address."""
        at = folder / "port"
        backend = {"_MLFLOW_SERVER_FILE_STORE": uri, "_MLFLOW_SERVER_ARTIFACT_ROOT": (folder / "kept").as_uri()}
        pid = self.start(uri, SERVER.format(at=str(at)), **backend)
        try:
            wait_until(at.exists, self.said)
            yield f"http://127.0.0.1:{at.read_text()}"
        finally:
            self.end(pid, kill=True)

    def _ask(self, line: str) -> str:
        self._starter.stdin.write(f"{line}\n")
        self._starter.stdin.flush()
        return self._starter.stdout.readline()


def wait_until(is_so, said: Path) -> None:
    """Looks every millisecond; shows what was said if it takes a minute."""
    limit = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < limit, said.read_text()
        time.sleep(0.001)


@contextmanager
def forked(folder: Path) -> Iterator[Forked]:
    """What they say is kept in the folder."""
    said = folder / "said.log"
    command = [sys.executable, "-c", CODE]
    others = {name: value for name, value in os.environ.items() if name not in ("AE_RUN", "PYTEST_CURRENT_TEST")}
    with (
        said.open("w") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=others,
            start_new_session=True,
        ) as starter,
    ):
        assert starter.stdout.readline() == "ready\n", said.read_text()
        try:
            yield Forked(starter, said)
        finally:
            os.killpg(starter.pid, signal.SIGKILL)
