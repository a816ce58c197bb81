"""MLflow's stores for tests: made once and then copied, since making one takes seconds."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

DATABASE = "mlflow.db"


def address(folder: Path) -> str:
    """Of the store in a folder."""
    return f"sqlite:///{folder / DATABASE}"


def make(folder: Path) -> None:
    """An empty store."""
    from mlflow import MlflowClient

    MlflowClient(address(folder)).search_experiments()


def copy(folder: Path, target: Path) -> None:
    """All that lies in a folder, with its store, whose artifacts are those of the copy."""
    unlike_files = shutil.ignore_patterns(f"{DATABASE}*")
    shutil.copytree(folder, target, ignore=unlike_files, symlinks=True, dirs_exist_ok=True)
    (target / DATABASE).unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / DATABASE)) as known, closing(sqlite3.connect(target / DATABASE)) as new:
        new.executescript("\n".join(known.iterdump()).replace(str(folder), str(target)))
