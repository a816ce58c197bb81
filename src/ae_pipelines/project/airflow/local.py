"""`python -m ae_pipelines.project.airflow.local`: a local Airflow on SQLite, its processes started and ended together.

Not `airflow standalone`: that leaves children behind when it is ended, and opens ports to the network.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import click
import psutil

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.airflow.plan import DagPlan, read_plans
from ae_pipelines.project.refusals import refusals

LOOK_EVERY = 0.5
"""Seconds between two looks at the processes."""


def settings(home: Path, port: int) -> dict[str, str]:
    """The environment of a local Airflow; the user's own variables take precedence, except for the home."""
    ours = {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",  # no password: it listens on this machine only
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "15",  # seconds until a new DAG file is noticed
        "DO_NOT_TRACK": "true",
    }
    return ours | os.environ | {"AIRFLOW_HOME": str(home)}


def prepare(airflow: Path, environment: dict[str, str], pools: Iterable[str]) -> None:
    """Create the database, and the pools with one slot each; `InputError` with Airflow's output if that fails."""
    for command in (["db", "migrate"], *(["pools", "set", pool, "1", "stages take turns"] for pool in sorted(pools))):
        answer = subprocess.run([airflow, *command], env=environment, capture_output=True, text=True)
        if answer.returncode:
            raise InputError(f"airflow {' '.join(command)} failed:\n{answer.stdout}{answer.stderr}")


def serve(airflow: Path, environment: dict[str, str], logs: Path, port: int, patience: float) -> None:
    """Run Airflow's servers until this process is interrupted, or one of them ends, which is an `InputError`.

    There is no triggerer among them, since no task here defers.
    """
    servers: dict[str, psutil.Popen] = {}
    try:
        for name in ("api-server", "dag-processor"):
            servers[name] = _start([airflow, name], environment, logs / f"{name}.log")
        _wait(servers, logs, until=lambda: _listening(port))
        # Not before: tasks talk to the api-server from their first moment on, and fail where there is none. Their logs
        # are files that it can read itself.
        servers["scheduler"] = _start([airflow, "scheduler", "--skip-serve-logs"], environment, logs / "scheduler.log")
        click.echo("Airflow is up.")
        _wait(servers, logs, until=lambda: False)
    finally:
        click.echo("Ending Airflow...")
        for name in reversed(servers):  # the scheduler first, so that its tasks can still report how they ended
            end_all(servers[name], patience)


def _wait(servers: dict[str, psutil.Popen], logs: Path, until: Callable[[], bool]) -> None:
    while not until():
        for name, server in servers.items():
            if server.poll() is not None:
                raise InputError(f"airflow {name} has ended: the end of {logs / name}.log says why")
        time.sleep(LOOK_EVERY)


def _start(command: Sequence[str | Path], environment: dict[str, str], log: Path) -> psutil.Popen:
    """In a session of its own: Ctrl-C then reaches only this process, which ends the others while it can still tell
    whose child is whose."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as output:
        return psutil.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)


def end_all(process: psutil.Process, patience: float) -> None:
    """End a process and all that it has started, running stages included: SIGTERM, and SIGKILL for those that are
    still there after `patience` seconds.

    SIGTERM goes to the process and to those that lead a session, which are the commands of tasks: the processes
    between them end by themselves, and would leave locks behind if they were ended first.
    """
    found: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        found = [process, *process.children(recursive=True)]
    for one in found:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            if one is process or os.getsid(one.pid) == one.pid:
                one.terminate()
    _, alive = psutil.wait_procs(found, timeout=patience)
    for one in alive:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(alive, timeout=patience)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _where_to_look(plans: dict[str, DagPlan], home: Path, port: int) -> str:
    width = max(map(len, plans)) + 2
    dags = [f"  {name:{width}}{plan.pipeline}, {plan.schedule or 'started by hand'}" for name, plan in plans.items()]
    places = [f"  {'logs':{width}}{home / 'logs'}", f"  {'DAG files':{width}}{home / 'dags'}"]
    start = f"Airflow, in half a minute, on http://127.0.0.1:{port} (no password); Ctrl-C ends it."
    return "\n".join([start, *dags, *places])


@click.command()
@click.option("--project-path", type=click.Path(path_type=Path, resolve_path=True), default=Path())
@click.option("--home", type=click.Path(path_type=Path, resolve_path=True), required=True, help="AIRFLOW_HOME.")
@click.option("--airflow", type=click.Path(path_type=Path), help="Its command; default: <home>/venv/bin/airflow.")
@click.option("--port", type=int, default=8080, show_default=True)
@click.option("--patience", type=float, default=20, show_default=True, help="Seconds that stages get to end.")
def main(project_path: Path, home: Path, airflow: Path | None, port: int, patience: float) -> None:
    """Run the DAGs in <home>/dags of a project's conf/airflow/airflow.yml in a local Airflow, until Ctrl-C."""
    airflow = airflow or home / "venv/bin/airflow"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        with refusals():
            if _listening(port):
                raise InputError(f"port {port} is taken: give another, such as `make airflow AIRFLOW_PORT={port + 1}`")
            plans, environment = read_plans(project_path), settings(home, port)
            click.echo("Preparing Airflow's database...")
            prepare(airflow, environment, {plan.pool for plan in plans.values()})
            click.echo(_where_to_look(plans, home, port))
            serve(airflow, environment, home / "logs", port, patience)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
