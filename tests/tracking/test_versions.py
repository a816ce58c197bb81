"""Commands on registered versions: listed, promoted, rolled back, pruned."""

import json
from pathlib import Path

import pytest
import stores
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import ViewType
from versions import assembled, changed, registered

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.tracking.__main__ import main
from ae_pipelines.tracking.versions import champions
from ae_pipelines.tracking.versions.registry import ModelRegistry


@pytest.fixture(scope="module")
def models(digits, recipe, tmp_path_factory) -> ScoringModel:
    metrics = {"classify/accuracy": 0.9, "embed/reconstruction_error": 0.01}
    return assembled(tmp_path_factory.mktemp("models"), digits, recipe, metrics)


@pytest.fixture
def store(tmp_path, empty_store, monkeypatch):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(tmp_path))
    monkeypatch.delenv("AE_RUN", raising=False)
    monkeypatch.chdir(tmp_path)
    return MlflowClient(uri)


@pytest.fixture
def version(store, models, tmp_path):
    """Registers one more version, by default a better one than all before."""
    made: list[int] = []

    def version(accuracy: float | None = None, name: str = "cells", **changes) -> int:
        number = len(made) + 1
        metrics = {"classify/accuracy": 0.9 + number / 1000 if accuracy is None else accuracy}
        another = changed(models, tmp_path / f"models{number}", metrics=metrics, content=f"{number:064d}", **changes)
        made.append(registered(tmp_path, another, name)["version"])
        return made[-1]

    return version


def asked(*words: str, fails: bool = False) -> str:
    found = CliRunner().invoke(main, [*words], catch_exceptions=False)
    assert (found.exit_code != 0) == fails, found.output
    return found.output


def champion(store, name="cells") -> int:
    return int(store.get_model_version_by_alias(name, "champion").version)


# -- listed ----------------------------------------------------------------------------------------------


def test_versions_are_listed_with_what_changed_against_the_champion_before(version):
    version()
    version(recipe="conv")
    version(accuracy=0.1)
    said = asked("champions")
    first, second, third = said.split("  version ")[1:]
    assert first.startswith("1: registered")
    assert "since version" not in first
    assert second.startswith("2 @champion: registered")
    assert "champion since 20" in second
    assert "classify/accuracy 0.902" in second
    assert "since version 1: recipe small → conv" in second
    assert "since version 2: recipe conv → small" in third
    assert "champion since" not in third


def test_a_version_whose_files_are_gone_is_listed_as_such(version, store):
    version()
    (contract,) = Path(files_of_version(store, 1)).glob("data/*/contract.json")
    contract.unlink()
    assert "its contract cannot be read" in asked("champions")


def files_of_version(store, number):
    return store.get_model_version("cells", str(number)).source.removeprefix("file://")


def test_what_there_is_not_is_said_in_one_sentence(store, version):
    assert asked("champions", fails=True) == "Error: no model is registered: run train first\n"
    assert "no model is registered" in asked("rollback", fails=True)
    version()
    assert "no registered model is called 'cell'; known: cells. Did you mean 'cells'?" in asked(
        "champions", "--model-name=cell", fails=True
    )
    assert "'cells' has no version 7; it has 1" in asked("promote", "7", fails=True)
    version(name="tissues")
    assert "more than one registered model: cells, tissues" in asked("rollback", fails=True)
    assert asked("champions").startswith("cells\n  version 1")
    assert "give a command" in asked(fails=True)


# -- which model is meant --------------------------------------------------------------------------------


def test_a_model_that_nobody_named_is_the_source_s_else_the_only_one(store, version, tmp_path):
    def fetched(expected: str) -> str:
        return ModelRegistry(tmp_path, expected, asked_for=False).fetch(None, "champion").version.name

    with pytest.raises(InputError, match="no registered model is called 'digits', as the source is, and there is no"):
        fetched("digits")
    version(name="mnist")
    assert fetched("digits") == "mnist"
    assert asked("name") == "mnist\n"
    version(name="digits")
    assert fetched("digits") == "digits"
    with pytest.raises(InputError, match="more than one: digits, mnist") as refused:
        fetched("photos")
    assert refused.value.options == {"model_name": "digits"}
    with pytest.raises(InputError, match="no version of 'photos' is called 'champion'"):
        ModelRegistry(tmp_path, "photos").fetch(None, "champion")
    assert asked("name", "--model-name=mnist", "--alias=none", fails=True).startswith("Error: no version of 'mnist' is")
    assert "no registered model is called 'x'" in asked("name", "--model-name=x", fails=True)


# -- promoted and rolled back ----------------------------------------------------------------------------


def test_rolling_back_twice_goes_further_back(store, version):
    for _ in range(3):
        version()
    version(accuracy=0.1)
    assert champion(store) == 3
    assert asked("rollback") == "cells: version 2 is champion again\n"
    assert asked("rollback") == "cells: version 1 is champion again\n"
    assert champion(store) == 1
    assert "no other version was champion before the present one (known: none)" in asked("rollback", fails=True)
    assert champion(store) == 1


def test_a_champion_again_is_one_since_it_was_made_so(store, version, monkeypatch):
    for number in (1, 2):
        monkeypatch.setattr(champions, "_now", lambda number=number: f"2026-01-0{number} 00:00 UTC")
        version()
    monkeypatch.setattr(champions, "_now", lambda: "2026-01-03 00:00 UTC")
    asked("rollback")
    assert "champion since 2026-01-03" in asked("champions")


def test_a_version_that_was_rolled_back_is_not_promoted_by_itself_again(store, version, models, tmp_path):
    version()
    version()
    asked("rollback")
    again = ScoringModel(tmp_path / "models2")
    why = registered(tmp_path, again)["why"]
    assert "version 1 stays champion, not version 2: it was rolled back on 20" in why
    assert "promote 2 --model-name=cells" in why
    assert "rolled back 20" in asked("champions")
    asked("promote", "2")
    assert champion(store) == 2
    assert "is champion already" in registered(tmp_path, again)["why"]
    asked("rollback")
    assert champion(store) == 1


def test_one_may_roll_back_to_an_earlier_champion_and_to_no_other_version(store, version):
    for _ in range(3):
        version()
    version(accuracy=0.1)
    assert "version 4 was never champion before the present one (known: 1, 2)" in asked(
        "rollback", "--to=4", fails=True
    )
    asked("rollback", "--to=1")
    assert champion(store) == 1


def test_a_champion_that_was_made_by_hand_is_on_record_too(store, version):
    version()
    version(accuracy=0.1)
    version(accuracy=0.1)
    store.set_registered_model_alias("cells", "champion", "3")
    asked("promote", "2")
    assert asked("rollback") == "cells: version 3 is champion again\n"
    assert asked("rollback") == "cells: version 1 is champion again\n"


def test_a_damaged_version_does_not_become_champion(store, version):
    version()
    version()
    (weights,) = Path(files_of_version(store, 1)).rglob("weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    for words in (("rollback",), ("promote", "1")):
        assert "damaged or was altered" in asked(*words, fails=True)
    assert champion(store) == 2


# -- pruned ----------------------------------------------------------------------------------------------


def left(store) -> list[int]:
    return sorted(int(found.version) for found in store.search_model_versions("name = 'cells'"))


def test_old_versions_go_with_their_runs_and_files(store, version, tmp_path):
    for accuracy in (0.9, 0.91, 0.92, 0.1, 0.1):
        version(accuracy=accuracy)
    store.set_registered_model_alias("cells", "kept", "1")
    before = {path.parent.name for path in (tmp_path / "mlartifacts").glob("*/artifacts")}
    said = asked("prune", "--keep=1", "--dry-run")
    assert left(store) == [1, 2, 3, 4, 5]
    assert said.endswith("MB would be removed\n")
    said = asked("prune", "--keep=1")
    assert left(store) == [1, 2, 3, 5]  # an alias, the champion before, the champion, the newest
    runs = {run.info.run_name for run in store.search_runs(["1"], run_view_type=ViewType.DELETED_ONLY)}
    assert len(runs) == 1
    assert "cells version 4 and run" in said
    assert "1 versions, 0." in said
    after = {path.parent.name for path in (tmp_path / "mlartifacts").glob("*/artifacts")}
    assert len(before - after) == 1
    for number in left(store):
        ModelRegistry(tmp_path, "cells").fetch(number, "")
    assert asked("rollback") == "cells: version 2 is champion again\n"
    assert asked("prune", "--keep=5").startswith("0 versions")


def test_a_run_that_something_else_needs_stays(store, version, tmp_path):
    for accuracy in (0.9, 0.1, 0.1, 0.1):
        version(accuracy=accuracy)
    runs = {int(found.version): found.run_id for found in store.search_model_versions("name = 'cells'")}
    child = store.create_run("1", tags={"mlflow.parentRunId": runs[2]})
    store.log_param(child.info.run_id, "recipe.training.initial_encoder", f"runs:/{runs[3]}/encoder")
    asked("prune", "--keep=1")
    assert left(store) == [1, 4]
    for number in (2, 3):
        assert store.get_run(runs[number]).info.lifecycle_stage == "active"
        assert "ae.pruned" not in store.get_run(runs[number]).data.tags
        assert not list((tmp_path / "mlartifacts" / runs[number]).rglob("contract.json"))


@pytest.fixture
def ran(store):
    """Makes a run that registered nothing, with a file."""
    started = iter(range(1000, 100_000))

    def ran(status="FINISHED", **tags) -> str:
        run = store.create_run("1", next(started), tags={name.replace("_", "."): value for name, value in tags.items()})
        store.log_text(run.info.run_id, "x" * 1000, "report/report.html")
        store.update_run(run.info.run_id, status=status)
        return run.info.run_id

    return ran


def is_there(store, run: str) -> bool:
    found = store.get_run(run).info
    files = Path(found.artifact_uri.removeprefix("file://")).exists()
    assert files == (found.lifecycle_stage == "active")
    return files


def test_old_runs_that_made_no_version_go_if_that_is_asked_for(store, version, ran):
    version()
    old, failed, at_work = ran(), ran("FAILED"), ran("RUNNING")
    trial = ran(mlflow_parentRunId=old)
    begun_from, newer, newest = ran(), ran(), ran()
    store.log_param(newest, "recipe.training.initial_encoder", f"runs:/{begun_from}/encoder")
    every = (old, failed, at_work, trial, begun_from, newer, newest)
    asked("prune", "--keep=2")
    assert asked("prune", "--keep=2", "--runs", "--dry-run").endswith(
        "2 runs that made none, 0.0 MB would be removed\n"
    )
    assert all(is_there(store, run) for run in every)
    said = asked("prune", "--keep=2", "--runs")
    assert said.endswith("0 versions, 2 runs that made none, 0.0 MB are removed\n")
    assert [run for run in every if is_there(store, run)] == [at_work, begun_from, newer, newest]
    assert ModelRegistry(Path.cwd(), "cells").fetch(1, "")
    assert "0 runs that made none" in asked("prune", "--keep=2", "--runs")


def test_what_a_killed_prune_has_left_is_removed_by_the_next_one(store, version, tmp_path, monkeypatch):
    for accuracy in (0.9, 0.1, 0.1):
        version(accuracy=accuracy)
    run = store.get_model_version("cells", "2").run_id

    class Killed(Exception):
        pass

    def delete(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "delete_run", delete)
        with pytest.raises(Killed):
            asked("prune", "--keep=1")
    assert left(store) == [1, 3]
    asked("prune", "--keep=1")
    assert store.get_run(run).info.lifecycle_stage == "deleted"
    assert not (tmp_path / "mlartifacts" / run / "artifacts").exists()


def test_files_that_are_not_the_run_s_own_are_left_alone(store, version, tmp_path):
    version()
    version()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("x")
    run = store.get_model_version("cells", "1").run_id
    files = json.dumps({"a": "b"})
    for place in (
        tmp_path / "precious",
        tmp_path / "mlartifacts" / run / "artifacts" / ".." / ".." / ".." / "precious",
    ):
        store.create_model_version("cells", f"file://{place}", run, tags={"ae.files": files})
    version()
    said = asked("prune", "--keep=1", fails=True)
    assert "which are not its own" in said
    assert (tmp_path / "precious" / "file").exists()
