"""`promote`, `rollback` and `prune` killed before any one thing that they write, and what is typed next."""

import shutil
import sqlite3
from contextlib import closing

import pytest
import stores
from attacks import tries
from click.testing import CliRunner
from mlflow import MlflowClient
from versions import assembled, changed, registered

from ae_pipelines.tracking.__main__ import main
from ae_pipelines.tracking.versions.registry import ModelRegistry

WRITES = (
    "set_registered_model_alias",
    "set_registered_model_tag",
    "set_model_version_tag",
    "delete_model_version_tag",
    "delete_model_version",
    "set_tag",
    "delete_tag",
    "delete_run",
)


class Killed(BaseException):
    """Nothing is done after it, as after a kill."""


@pytest.fixture(scope="module")
def place(tmp_path_factory, digits, recipe, empty_store):
    """A store with five versions, of which 1, 2 and 4 were champion in turn, and 4 is."""
    folder = tmp_path_factory.mktemp("killed")
    stores.copy(empty_store, folder)
    models = assembled(folder / "models", digits, recipe, {"classify/accuracy": 0.9})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.address(folder))
        patch.delenv("AE_RUN", raising=False)
        for number, accuracy in enumerate((0.91, 0.92, 0.1, 0.93, 0.1), 1):
            metrics = {"classify/accuracy": accuracy}
            registered(folder, changed(models, folder / str(number), metrics=metrics, content=f"{number:064d}"))
    shutil.copytree(folder / "mlartifacts", folder / "kept")
    shutil.copy(folder / "mlflow.db", folder / "kept.db")
    return folder


@pytest.fixture
def as_it_was(place, monkeypatch):
    """Restores the store; gives its client."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(place))
    monkeypatch.chdir(place)

    def restored():
        shutil.rmtree(place / "mlartifacts")
        shutil.copytree(place / "kept", place / "mlartifacts")
        with closing(sqlite3.connect(place / "kept.db")) as kept, closing(sqlite3.connect(place / "mlflow.db")) as db:
            kept.backup(db)
        return MlflowClient(uri)

    return restored


def killed(command, number):
    """Whether the command was killed before its `number`-th write, rather than done before."""
    left = [number]

    def counting(method):
        def write(*given, **named):
            left[0] -= 1
            if not left[0]:
                raise Killed
            return method(*given, **named)

        return write

    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            patch.setattr(MlflowClient, name, counting(getattr(MlflowClient, name)))
        try:
            asked(*command)
        except Killed:
            return True
        return False


def asked(*words):
    found = CliRunner().invoke(main, [*words], catch_exceptions=False)
    assert found.exit_code == 0, found.output


def champion(client):
    return int(client.get_model_version_by_alias("cells", "champion").version)


NEXT = [
    (("rollback",), ("rollback",), {2, 1}),
    (("prune", "--keep=1"), ("prune", "--keep=5"), {4}),
    (("promote", "5"), ("rollback",), {4, 2}),
    (("rollback", "--to=1"), ("rollback", "--to=1"), {1}),
    (("promote", "5"), ("promote", "5"), {5}),
    (("prune", "--keep=1"), ("promote", "3"), {3}),
][: tries(3, 6)]
"""A command that is killed, what is typed next, and who may be champion then."""


@pytest.mark.parametrize(("first", "then", "may_be"), NEXT)
def test_whoever_types_on_after_a_kill_gets_what_was_meant_and_loses_nothing(
    as_it_was, place, first, then, may_be, record
):
    odd, number = [], 0
    while True:
        client, number = as_it_was(), number + 1
        if not killed(first, number):
            break
        if then[0] == "promote" and not _is_there(client, then[1]):
            continue
        try:
            asked(*then)
            asked("prune", "--keep=5")  # takes up what was left
        except AssertionError as error:
            odd.append(f"{number}: {error}")
            continue
        if champion(client) not in may_be:
            odd.append(f"{number}: champion is {champion(client)}")
        for version in client.search_model_versions("name = 'cells'"):
            ModelRegistry(place, "cells").fetch(int(version.version), "")
    record(f"kill in {' '.join(first)}, then {' '.join(then)}", number - 1, {"lost": len(odd)})
    assert number > 2
    assert not odd


def _is_there(client, number):
    return any(version.version == int(number) for version in client.search_model_versions("name = 'cells'"))
