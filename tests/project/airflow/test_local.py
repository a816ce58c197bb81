"""A local Airflow's processes, with a stand-in for the airflow command: who is started, and that nobody is left."""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import yaml
from making import PATIENCE

from ae_pipelines.project.airflow.local import settings

SERVER = f"""#!{sys.executable}
import json, os, pathlib, socket, subprocess, sys, time
home = pathlib.Path(os.environ["AIRFLOW_HOME"])
with (home / "calls").open("a") as calls:
    print(json.dumps([os.getpid(), *sys.argv[1:]]), file=calls)
if sys.argv[1] in ("db", "pools"):
    sys.exit("no such table" if (home / "broken").exists() else 0)
if sys.argv[1] == "api-server":
    time.sleep(1)
    listening = socket.create_server(("127.0.0.1", int(os.environ["AIRFLOW__API__PORT"])))
    (home / "listening").touch()
if sys.argv[1] == "scheduler":
    (home / "scheduled").write_text("after" if (home / "listening").exists() else "before")
    # Its task: in a session of its own, and deaf to SIGTERM; it ends after a minute or two, should nobody find it.
    deaf = "trap '' TERM; for i in $(seq 900); do sleep 0.1; done"
    task = subprocess.Popen(["sh", "-c", deaf], start_new_session=True)
    (home / "task").write_text(str(task.pid))
while not (home / f"end {{sys.argv[1]}}").exists():
    time.sleep(0.05)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition):
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return found


def is_at_work(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE  # where nobody reaps orphans


class Launched:
    """`python -m ae_pipelines.project.airflow.local` with the stand-in."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self.airflow = folder / "airflow"
        self.airflow.write_text(SERVER)
        self.airflow.chmod(0o755)
        plan = folder / "conf/airflow/airflow.yml"
        plan.parent.mkdir(parents=True)
        plan.write_text(yaml.safe_dump({"a": {"pipeline": "train", "pool": "one"}, "b": {"pipeline": "score"}}))
        self.folder, self.port = folder, free_port()

    def start(self) -> subprocess.Popen:
        command = [sys.executable, "-u", "-m", "ae_pipelines.project.airflow.local", "--project-path=.", "--home=home"]
        self.process = subprocess.Popen(
            [*command, f"--airflow={self.airflow}", f"--port={self.port}", "--patience=1"],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        return self.process

    def calls(self) -> list[list]:
        path = self.home / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def servers(self) -> list[psutil.Process]:
        """All three, and the scheduler's task, once they are there."""
        started = {name: pid for pid, name, *_ in self.calls() if name not in ("db", "pools")}
        if len(started) < 3 or not (task := self.task()):
            return []
        return [psutil.Process(pid) for pid in (*started.values(), task)]

    def task(self) -> int:
        """Its process id; 0 before it has started."""
        path = self.home / "task"
        return int(path.read_text() or 0) if path.exists() else 0


@pytest.fixture
def launched(tmp_path):
    launched = Launched(tmp_path)
    yield launched
    process = getattr(launched, "process", None)
    if process is not None:
        left = [process.pid, *(pid for pid, *_ in launched.calls()), launched.task()]
        for pid in filter(None, left):  # whatever the code under test made of them
            with suppress(psutil.NoSuchProcess):
                found = psutil.Process(pid)
                if pid == process.pid or found.environ().get("AIRFLOW_HOME") == str(launched.home):
                    found.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_is_started_is_gone_after_the_end_a_deaf_task_in_its_own_session_too(launched, number):
    process = launched.start()
    servers = wait_for(launched.servers)
    process.send_signal(number)
    assert process.wait(timeout=PATIENCE) == 128 + number
    assert not any(is_at_work(server) for server in servers)


def test_a_server_that_ends_takes_the_others_with_it_and_says_where_to_look(launched):
    process = launched.start()
    servers = wait_for(launched.servers)
    (launched.home / "end dag-processor").touch()
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert f"airflow dag-processor has ended: the end of {launched.home}/logs/dag-processor.log says why" in output
    assert not any(is_at_work(server) for server in servers)


def test_each_pool_of_the_plan_is_made_with_one_slot_before_the_servers_start(launched):
    launched.start()
    wait_for(launched.servers)
    assert [call[1:5] for call in launched.calls()[:3]] == [
        ["db", "migrate"],
        ["pools", "set", "ae_pipelines", "1"],
        ["pools", "set", "one", "1"],
    ]


def test_nothing_is_scheduled_before_the_api_server_listens(launched):
    """A task that finds nobody listening fails, and costs the first try."""
    launched.start()
    wait_for(launched.servers)
    assert (launched.home / "scheduled").read_text() == "after"


def test_where_to_look_is_said_before_anything_is_served(launched):
    process = launched.start()
    wait_for(launched.servers)
    process.terminate()
    output, _ = process.communicate(timeout=PATIENCE)
    assert f"http://127.0.0.1:{launched.port}" in output
    assert str(launched.home / "logs") in output


def test_what_airflow_says_of_a_broken_database_is_shown_and_nothing_is_served(launched):
    (launched.home / "broken").touch()
    output, _ = launched.start().communicate(timeout=PATIENCE)
    assert "Error: airflow db migrate failed:\nno such table" in output
    assert len(launched.calls()) == 1


def test_a_port_that_is_taken_is_refused_with_another_one_to_try(launched):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", launched.port))
        taken.listen()
        output, _ = launched.start().communicate(timeout=PATIENCE)
    assert f"port {launched.port} is taken" in output
    assert not launched.calls()


def test_the_user_s_environment_goes_before_ours_but_not_for_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "9")
    monkeypatch.setenv("AIRFLOW_HOME", "/elsewhere")
    environment = settings(tmp_path, 8081)
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "9"
    assert environment["AIRFLOW_HOME"] == str(tmp_path)
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
