"""MLflow's SQLite file: whole, or moved aside, or refused."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import stores

from ae_pipelines.base.errors import InputError
from ae_pipelines.tracking import database
from ae_pipelines.tracking.database import is_half_built
from ae_pipelines.tracking.store import client_of


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """Where the store is; nobody else builds in it."""
    monkeypatch.setattr(database, "QUIET", 0.0)
    monkeypatch.delenv("AE_RUN", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(tmp_path))
    return tmp_path / stores.DATABASE


@pytest.fixture
def make_whole(empty_store):
    """As it is done, but for what takes MLflow a second."""
    return partial(database.make_whole, make=partial(shutil.copy, empty_store / stores.DATABASE))


@pytest.fixture
def changed(empty_store, place):
    """A store in which some statements were executed."""

    def changed(*statements):
        shutil.copy(empty_store / stores.DATABASE, place)
        with closing(sqlite3.connect(place)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return place

    return changed


@pytest.mark.parametrize(
    "statements",
    [
        ["delete from experiments"],
        ["delete from experiments", "drop table alembic_version"],
        ["delete from experiments", "drop table workspaces", "update alembic_version set version_num = '451aebb31d03'"],
    ],
    ids=["all tables", "no version", "an earlier version and a missing table"],
)
def test_what_a_killed_set_up_left_is_moved_aside_and_told(make_whole, changed, place, caplog, statements):
    half = changed(*statements).read_bytes()
    make_whole(place)
    assert not is_half_built(place)
    assert place.with_name("mlflow.db.broken-1").read_bytes() == half
    assert sum("left half-built" in message for message in caplog.messages) == 1


def test_an_empty_file_is_moved_aside_with_what_lies_beside_it_and_beside_what_was_moved_before(make_whole, place):
    names = ("mlflow.db", "mlflow.db-journal", "mlflow.db-wal")
    for name in names:
        place.with_name(name).touch()
    place.with_name("mlflow.db.broken-1").write_text("earlier")
    make_whole(place)
    assert not is_half_built(place)
    assert place.with_name("mlflow.db.broken-1").read_text() == "earlier"
    moved = {path.name for path in place.parent.iterdir()} - {"mlflow.db", "mlflow.db.broken-1"}
    assert moved == {"mlflow.db.broken-2", "mlflow.db.broken-2-journal", "mlflow.db.broken-2-wal"}


def test_what_lies_beside_a_database_that_is_gone_does_not_become_that_of_the_new_one(make_whole, place):
    place.with_name("mlflow.db-journal").write_bytes(b"of another")
    make_whole(place)
    assert not is_half_built(place)
    assert place.with_name("mlflow.db.broken-1-journal").read_bytes() == b"of another"


@pytest.mark.parametrize(
    "statements",
    [
        ["update alembic_version set version_num = '451aebb31d03'", "drop table workspaces"],
        ["update alembic_version set version_num = 'of a later one'"],
        ["delete from experiments", "insert into registered_models (name) values ('cells')"],
        ["delete from experiments", "drop table alembic_version", "create table notes as select 1"],
    ],
    ids=["earlier MLflow", "later MLflow", "models alone", "another program's"],
)
def test_a_database_in_which_something_is_recorded_is_never_moved(changed, statements):
    place = changed(*statements)
    before = place.read_bytes()
    assert not is_half_built(place)
    database.make_whole(place, make=None)
    assert place.read_bytes() == before


def test_one_that_another_process_is_building_is_waited_for(changed, place, monkeypatch):
    changed("delete from experiments")

    def finish(_):
        with closing(sqlite3.connect(place)) as connection, connection:
            connection.execute("insert into experiments (experiment_id, name) values (0, 'Default')")

    monkeypatch.setattr(database, "QUIET", 60.0)
    monkeypatch.setattr(database.time, "sleep", finish)
    database.make_whole(place, make=None)
    assert not place.with_name("mlflow.db.broken-1").exists()


def test_what_is_no_database_is_refused_and_left_as_it_is(place):
    place.write_text("my notes, which are longer than the sixteen letters that SQLite looks at")
    with pytest.raises(InputError, match=r"mlflow\.db, where .* cannot be read as a SQLite database .*: restore it"):
        client_of(place.parent)
    assert place.read_text().startswith("my notes")


class TestUnwritable:
    """The place is refused in one sentence, and nothing is left there."""

    def refused(self, place, why):
        with pytest.raises(InputError, match=rf"cannot record runs .* in .*mlflow\.db: .*{why}.*MLFLOW_TRACKING"):
            client_of(place.parent)

    def test_a_folder_of_this_name(self, place):
        place.mkdir()
        self.refused(place, "it is a folder")

    def test_a_file_where_its_folder_belongs(self, place, monkeypatch):
        place.write_text("x")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}/below/mlflow.db")
        self.refused(place, "Not a directory")

    @pytest.mark.skipif(
        not Path("/proc/self").exists(), reason="this system has no folder in which nothing can be made"
    )
    def test_a_folder_in_which_no_file_can_be_made(self, place, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////proc/mlflow.db")
        self.refused(place, "No such file")

    @pytest.mark.parametrize("there", [False, True])
    def test_a_read_only_mount(self, place, tmp_path, monkeypatch, empty_store, there):
        (mount := tmp_path / "mount").mkdir()
        mounted = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", mount]
        if os.geteuid() or subprocess.run(mounted, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            if there:
                shutil.copy(empty_store / stores.DATABASE, mount)
                (mount / "mlflow.db.lock").touch()
            subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
            monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(mount))
            self.refused(place, "Read-only|cannot be written")
        finally:
            subprocess.run(["umount", "-l", mount], check=True)

    def test_a_full_disk(self, place, tmp_path, monkeypatch):
        (mount := tmp_path / "mount").mkdir()
        mounted = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mount]
        if os.geteuid() or subprocess.run(mounted, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
        try:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(mount))
            self.refused(place, "full")
            assert [path.name for path in mount.iterdir()] == ["mlflow.db.lock"]
        finally:
            subprocess.run(["umount", "-l", mount], check=True)
