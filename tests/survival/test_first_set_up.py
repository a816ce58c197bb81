"""SIGKILL while MLflow's database is made for the first time."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import stores
from attacks import tries
from forked import forked, wait_until

from ae_pipelines.tracking.store import EXPERIMENT

LEFT = {"mlflow.db", "mlflow.db.lock"}


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    with forked(tmp_path_factory.mktemp("forked")) as processes:
        yield processes


def size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def whole(folder: Path) -> bool:
    with closing(sqlite3.connect(folder / stores.DATABASE)) as database:
        (state,) = database.execute("pragma integrity_check").fetchone()
        names = {name for (name,) in database.execute("select name from experiments")}
    return state == "ok" and names == {"Default", EXPERIMENT} and {path.name for path in folder.iterdir()} == LEFT


def test_a_project_starts_whenever_its_first_set_up_was_killed(tmp_path, empty_store, processes, record):
    full = size(empty_store / stores.DATABASE)
    moments, count, found, unfinished = random.Random(7), tries(4, 40), {"stuck": 0, "left": 0}, 0
    for number in range(count):
        (folder := tmp_path / str(number)).mkdir()
        start = stores.address(folder), f"store.client_of(Path({str(folder)!r}))"
        database, after = folder / stores.DATABASE, moments.uniform(0, 1.05) * full
        pid = processes.start(*start)

        def far_enough(folder=folder, database=database, after=after) -> bool:
            made = max(size(path) for path in [database, *folder.glob(".*/*.db")])
            return made >= after or size(database) >= full

        wait_until(far_enough, processes.said)
        unfinished += processes.end(pid, kill=True) == -9 and not size(database)
        found["stuck"] += processes.end(processes.start(*start)) != 0
        found["left"] += not whole(folder)
    note = f"{unfinished} of them before the database was whole"
    record("SIGKILL during the first database set-up", count, found, note)
    assert unfinished
    assert found == {"stuck": 0, "left": 0}
