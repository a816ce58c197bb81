"""Disks without room, no memory, places that cannot be read or written: one sentence, and all that was there stays.

The short form meets them in this process; the long one in processes of their own, on small disks, which takes root.
"""

import contextlib
import hashlib
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import stores
from attacks import LONG
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from making import PATIENCE, PROJECT

from ae_pipelines.base import seals
from ae_pipelines.cli import run as command
from ae_pipelines.training import embedding

GIVEN = "source=digits,recipe=dense,recipe.training.threads=1,recipe.training.epochs="
NOTES = {"given.json", "warnings.json", ".run.lock", "filler"}
"""Files that say what was asked for, whatever came of it."""
KILOBYTE, MEGABYTE = 1 << 10, 1 << 20


@dataclass(frozen=True)
class Folder:
    """A data folder with its MLflow store."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def database(self) -> Path:
        return self.path / stores.DATABASE

    def status(self) -> str:
        """Of the last run that is on record."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            (status,) = database.execute("select status from runs order by start_time desc limit 1").fetchone()
        return str(status)

    def files(self) -> dict[str, str]:
        """Hashes by name."""
        files = [path for path in self.data.rglob("*") if path.is_file() and path.name not in NOTES]
        return {str(path.relative_to(self.data)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def damaged(self) -> list[str]:
        """What is there and is not what its seal says."""
        found = []
        for path in self.data.rglob("*"):
            try:
                seals.seal_of(path)
            except ValueError as error:
                found.append(f"{path}: {error}")
        return found


def judge(folder: Folder, before: dict[str, str], code: int, output: str, status: str | None) -> dict[str, bool]:
    """What must never happen, and whether it has. A file that a node has finished is a new one, and whole."""
    after = folder.files()
    said = [line for line in output.splitlines() if line.startswith("Error: ")]
    return {
        "exit code 0": code == 0,
        "traceback": "Traceback" in output,
        "not one sentence": len(said) != 1,
        "temporary file": any(".tmp" in name for name in after),
        "earlier output gone": not before.keys() <= after.keys(),
        "damaged output": folder.damaged() != [],
        "untrue status": status is not None and folder.status() != status,
    }


# -- in this process ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(made_once) -> Folder:
    """Samples, a trained model and its latents."""

    def fill(place: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            assert _kedro(Folder(place), patch, "ingest,fit,embed", 1)[0] == 0

    return Folder(made_once("room", fill))


def _kedro(folder: Folder, patch: pytest.MonkeyPatch, stages: str, epochs: int) -> tuple[int, str]:
    patch.setenv("MLFLOW_TRACKING_URI", stores.address(folder.path))
    patch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    params = f"data_dir='{folder.data}',{GIVEN}{epochs}"
    result = CliRunner().invoke(command, [f"--pipelines={stages}", f"--params={params}"])
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    return result.exit_code, result.output


@contextlib.contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As on a full disk, writes fail in the middle: no file may be larger than this, in bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def a_file_for_a_folder(folder: Folder) -> Iterator[None]:
    place = folder.data / "07_model_output"
    place.rename(folder.path / "aside")
    place.write_text("mine")
    yield
    assert place.read_text() == "mine"
    place.unlink()
    (folder.path / "aside").rename(place)


@contextlib.contextmanager
def no_memory() -> Iterator[None]:
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "latent_stream", lambda *_, **__: torch.empty(1 << 50))
        yield


@contextlib.contextmanager
def a_full_database(folder: Folder) -> Iterator[None]:
    """MLflow's database has no room for numbers, and some for a status."""
    with contextlib.closing(sqlite3.connect(folder.database)) as database:
        database.execute(
            "create trigger full before insert on metrics begin select raise(abort, 'database or disk is full'); end"
        )
        database.commit()
    yield


IN_PROCESS: dict[str, tuple[str, Callable[[Folder], AbstractContextManager[None]], str]] = {
    "a disk that is full in fit": ("fit", lambda _: files_up_to(2 * MEGABYTE), "make room there"),
    "a file for a folder": ("embed", a_file_for_a_folder, "a file lies in its place"),
    "no memory in embed": ("embed", lambda _: no_memory(), "give it less at a time"),
    "a full database": ("fit", a_full_database, "database or disk is full"),
}


def test_where_there_is_no_room_one_sentence_says_so_and_all_stays(made, tmp_path, monkeypatch, record):
    found: dict[str, int] = {}
    failed = []
    for number, (name, (stage, attack, expected)) in enumerate(IN_PROCESS.items()):
        folder = Folder(tmp_path / str(number))
        stores.copy(made.path, folder.path)
        before = folder.files()
        with attack(folder):
            code, output = _kedro(folder, monkeypatch, stage, 2)
        bad = judge(folder, before, code, output, "FAILED") | {"other words": expected not in output}
        found = {what: found.get(what, 0) + is_so for what, is_so in bad.items()}
        failed += [(name, what, output[-600:]) for what, is_so in bad.items() if is_so]
    record("no room, in one process", len(IN_PROCESS), found)
    assert failed == []


# -- in processes of their own -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """What is done to a copy of a finished run, and which stage meets it."""

    name: str
    stage: str
    around: Callable[[Folder], AbstractContextManager[object]]
    expected: str
    before: list[str] = field(default_factory=list)
    """Words before the command."""
    status: str | None = "FAILED"


def _call(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


@contextlib.contextmanager
def small_disk(folder: Folder, free: int) -> Iterator[None]:
    """The data folder on a disk of which so many bytes are free."""
    aside = folder.path / "aside"
    folder.data.rename(aside)
    folder.data.mkdir()
    _call("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", folder.data)
    try:
        shutil.copytree(aside, folder.data, dirs_exist_ok=True)
        room = os.statvfs(folder.data)
        (folder.data / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize - free))
        yield
    finally:
        shutil.copytree(folder.data, aside, dirs_exist_ok=True, ignore=shutil.ignore_patterns("filler"))
        _call("umount", "-l", folder.data)
        folder.data.rmdir()
        aside.rename(folder.data)


@contextlib.contextmanager
def small_artifacts(folder: Folder) -> Iterator[None]:
    place = folder.path / "mlartifacts"
    place.mkdir(exist_ok=True)
    _call("mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", place)
    try:
        yield
    finally:
        _call("umount", "-l", place)


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    _call("mount", "--bind", place, place)
    _call("mount", "-o", "remount,ro,bind", place)
    try:
        yield
    finally:
        _call("umount", "-l", place)


@contextlib.contextmanager
def of_another_user(folder: Folder, only: str = "") -> Iterator[None]:
    """All belongs to nobody, who runs this, but what is in the folder `only`, which root may read."""
    for path in (folder.path, *folder.path.rglob("*")):
        os.chown(path, 65534, 65534)
    for path in (folder.data / only).iterdir() if only else ():
        os.chown(path, 0, 0)
        path.chmod(0o600)
    yield


@contextlib.contextmanager
def a_folder_for_a_file(folder: Folder, name: str) -> Iterator[None]:
    place = folder.data / name
    place.rename(folder.path / "aside")
    (place / "inside").mkdir(parents=True)
    yield
    assert (place / "inside").exists()
    shutil.rmtree(place)
    (folder.path / "aside").rename(place)


def untouched(folder: Folder) -> AbstractContextManager[None]:
    """What is met lies in the process."""
    return contextlib.nullcontext()


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
ROOM = "make room there"
IN_PROCESSES = [
    *(
        Attack(f"full in {stage}", stage, lambda folder, free=free: small_disk(folder, free * KILOBYTE), ROOM)
        for stage, free in {
            **{"ingest": 0, "fit": 500, "embed": 64, "cluster": 16, "classify": 16, "detect": 16, "contrast": 16},
            **{"export": 100, "report": 60, "register": 100, "search": 8, "projector": 20},
            **{"collect": 8, "apply": 8, "drift": 8},
        }.items()
    ),
    Attack("MLflow's artifacts", "cluster", small_artifacts, ROOM),
    Attack(
        "a database that cannot be written",
        "cluster",
        lambda folder: read_only(folder.database),
        "cannot be written",
        status=None,
    ),
    Attack(
        "a read-only folder", "cluster", lambda folder: read_only(folder.data), "Read-only file system", status=None
    ),
    Attack(
        "one read-only folder", "embed", lambda folder: read_only(folder.data / "07_model_output"), "can only be read"
    ),
    Attack("a data folder of another user", "cluster", untouched, "Permission denied", NOBODY, None),
    Attack(
        "a store of another user",
        "embed",
        lambda folder: of_another_user(folder, "02_intermediate/samples"),
        "this user may not do that",
        NOBODY,
    ),
    Attack(
        "a folder for a file",
        "cluster",
        lambda folder: a_folder_for_a_file(folder, "08_reporting/cluster_metrics.json"),
        "a folder lies in its place",
    ),
    Attack("large files", "fit", untouched, ROOM, ["prlimit", "--fsize=2000000"]),
    *(
        Attack(f"{limit} MB of addresses", "train", untouched, "give it less", ["prlimit", f"--as={limit}000000"], None)
        for limit in (1300, 1650, 2300)
    ),
]


def _process(folder: Folder, stage: str, epochs: int, before: list[str]) -> tuple[int, str]:
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT / "src"),
        "MLFLOW_TRACKING_URI": stores.address(folder.path),
        "HOME": str(folder.path),
        "AE_CACHE": str(folder.path / "cache"),
    }
    params = f"data_dir='{folder.data}',{GIVEN}{epochs}"
    words = [*before, sys.executable, "-m", "ae_pipelines", f"--project-path={PROJECT}", f"--pipelines={stage}"]
    done = subprocess.run(
        [*words, f"--params={params}"], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(not LONG, reason="a process takes seconds: make survive")
def test_where_there_is_no_room_in_processes_of_their_own(tmp_path, record):
    if os.geteuid() != 0 or subprocess.run(["mount", "--bind", tmp_path, tmp_path], capture_output=True).returncode:
        pytest.skip("only root may mount small disks")
    _call("umount", "-l", tmp_path)
    finished = Folder(tmp_path / "finished")
    finished.path.mkdir()
    assert _process(finished, "train", 1, [])[0] == 0
    assert _process(finished, "score", 1, [])[0] == 0
    found: dict[str, int] = {}
    failed = []
    for number, attack in enumerate(IN_PROCESSES):
        folder = Folder(tmp_path / str(number))
        stores.copy(finished.path, folder.path)
        for place in (folder.path, *folder.path.parents):
            place.chmod(place.stat().st_mode | 0o055)  # for another user
        before = folder.files()
        with attack.around(folder):
            code, output = _process(folder, attack.stage, 2, attack.before)
        bad = judge(folder, before, code, output, attack.status) | {"other words": attack.expected not in output}
        found = {what: found.get(what, 0) + is_so for what, is_so in bad.items()}
        failed += [(attack.name, what, output[-600:]) for what, is_so in bad.items() if is_so]
        shutil.rmtree(folder.path)
    record("no room, no memory, no permission, in processes", len(IN_PROCESSES), found)
    assert failed == []
