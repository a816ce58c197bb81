"""SIGKILL while MLflow's database is made for the first time."""

import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import stores
from attacks import tries
from forked import forked

from ae_pipelines.tracking.store import EXPERIMENT

START = "store.client_of(Path({folder!r}))"
LEFT = {"mlflow.db", "mlflow.db.lock"}


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


def test_a_project_starts_whenever_its_first_set_up_was_killed(tmp_path, empty_store, record):
    full = size(empty_store / stores.DATABASE)
    moments, count, found = random.Random(7), tries(4, 40), {"stuck": 0, "left": 0, "half": 0}
    with forked(None, tmp_path) as processes:
        for number in range(count):
            folder = tmp_path / str(number)
            folder.mkdir()
            database, after = folder / stores.DATABASE, moments.uniform(0, 1.05) * full
            pid = processes.start(START.format(folder=str(folder)))
            limit = time.monotonic() + 60
            while max(size(path) for path in [database, *folder.glob(".*/*.db")]) < after and size(database) < full:
                assert time.monotonic() < limit, (tmp_path / "said.log").read_text()
                time.sleep(0.001)
            killed = processes.end(pid, kill=True) == -9
            found["half"] += killed and not size(database)
            found["stuck"] += processes.end(processes.start(START.format(folder=str(folder)))) != 0
            found["left"] += not whole(folder)
    half = found.pop("half")
    record("SIGKILL during the first database set-up", count, found, f"{half} of them with the database unfinished")
    assert found == {"stuck": 0, "left": 0}
    assert half
