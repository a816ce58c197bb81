"""MLflow's SQLite file: whole or not there, whenever what makes it is killed."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from urllib.parse import quote

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError

log = logging.getLogger(__name__)

SIDE_FILES = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database, by the ends of the names."""
WITHOUT_USERS = ("alembic_%", "sqlite_%", "workspaces")
"""Tables (as in LIKE) that hold rows before anything is recorded."""
QUIET = 5.0
"""Seconds for which what is half built has not changed when nobody builds it any more; building it takes two."""


def make_whole(database: Path, make: Callable[[Path], None]) -> None:
    """See to it that there is a whole database: `make(path)` makes one beside it, which is then renamed. One that was
    left half-built, in which nothing is recorded, is moved aside first.

    The caller holds the lock of this file. `InputError` if it cannot be written, or is no database.
    """
    building = database.with_name(f".{database.name}.tmp")
    try:
        atomic.remove(building)  # left by a killed set-up
        _refuseunwritable(database)
        if database.exists() and not is_half_built(database):
            return
        _wait_for_another(database)
        if not database.exists():
            _move_aside(database)
            building.mkdir()
            make(building / database.name)
            if not database.exists():  # MLflow's own server may have made it meanwhile
                atomic.publish(building / database.name, database)
    except OSError as error:
        raise unwritable(database, str(error)) from error
    finally:
        atomic.remove(building)


def is_half_built(database: Path) -> bool:
    """Whether nothing was ever recorded in it, as is so until MLflow has made all its tables: a database in which
    something is recorded, by whatever version, never is. `InputError` if it is not SQLite's, or damaged."""
    if database.stat().st_size == 0:
        return True
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True)) as connection:
            return not any(_holds_rows(connection, table) for table in _tables(connection))
    except sqlite3.OperationalError:
        return False  # such as a lock of another process, which has reasons
    except sqlite3.DatabaseError as error:
        raise InputError(
            f"{database}, where MLflow records runs and models, cannot be read as a SQLite database ({error}): restore "
            "it, or move it away, and an empty one is made"
        ) from error


def _tables(connection: sqlite3.Connection) -> Iterator[str]:
    others = " and ".join("name not like ?" for _ in WITHOUT_USERS)
    query = f"select name from sqlite_master where type = 'table' and {others}"
    return (name for (name,) in connection.execute(query, WITHOUT_USERS).fetchall())


def _holds_rows(connection: sqlite3.Connection, table: str) -> bool:
    name = table.replace('"', '""')
    return connection.execute(f'select 1 from "{name}" limit 1').fetchone() is not None


def _wait_for_another(database: Path) -> None:
    """Until what is half-built is whole, by another process that does not know our lock, or nobody has changed it for a
    while: then it is moved aside."""
    seen, since = None, 0.0
    while database.exists() and is_half_built(database):
        found = database.stat()
        if (state := (found.st_mtime_ns, found.st_size)) != seen:
            seen, since = state, time.monotonic()
        if time.monotonic() - since > QUIET:
            place = _move_aside(database)
            log.warning("%s was left half-built, with nothing recorded in it: moved to %s, made anew", database, place)
        else:
            time.sleep(min(0.1, QUIET))


def _move_aside(database: Path) -> Path:
    """Rename it, and what lies beside it, to the next free name; gives that. What lies beside goes first: SQLite would
    take it for that of the next database."""
    place = next(
        place for number in count(1) if not (place := database.with_name(f"{database.name}.broken-{number}")).exists()
    )
    for end in (*SIDE_FILES, ""):
        if (file := Path(f"{database}{end}")).exists():
            file.rename(f"{place}{end}")
    return place


def _refuseunwritable(database: Path) -> None:
    if database.is_dir():
        raise unwritable(database, "it is a folder")
    for place in (database, database.parent):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise unwritable(database, f"{place} cannot be written")


def unwritable(database: Path, why: str) -> InputError:
    """What to tell where a database cannot be written."""
    return InputError(
        f"MLflow cannot record runs and models in {database}: {why}; give another place by MLFLOW_TRACKING_URI, such "
        "as sqlite:////home/me/mlflow.db"
    )
