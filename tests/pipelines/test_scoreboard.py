"""The scoreboard as users run it."""

import json

import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError

QUICK = {"training": {"epochs": 1, "threads": 1}}
ONLY = {
    "recipes": {"dense": {"recipe": QUICK}, "twice": {"recipe": {"name": "dense", "training": {"epochs": 2}}}},
    "tasks": {"kmeans": {"kind": "cluster"}, "neighbours": {"kind": "neighbours"}},
    "seeds": [4],
}


def test_one_command_measures_recipes_and_controls_as_runs_below_one_run(run, mlflow_runs):
    data = run("scoreboard", scoreboard=ONLY)
    table = pd.read_parquet(data / "08_reporting/scoreboard.parquet")
    assert json.loads((data / "08_reporting/scoreboard.json").read_text())[0]["encoder"] == table["encoder"][0]
    assert (data / "08_reporting/scoreboard.png").stat().st_size > 5000

    whole, *parts = mlflow_runs()
    assert whole.data.tags["pipeline"] == "scoreboard"
    assert {part.data.params["encoder"] for part in parts} == set(table["encoder"])
    assert set(table["encoder"]) == {
        "dense", "twice", "raw values", "PCA, d = 32", "patches, d = 32", "dense, untrained", "twice, untrained",
    }  # fmt: skip
    for part in parts:
        assert part.data.tags["mlflow.parentRunId"] == whole.info.run_id
        assert part.info.status == "FINISHED"
        shown = table[(table["encoder"] == part.data.params["encoder"]) & (table["metric"] == "same_class")]
        assert part.data.metrics["neighbours/same_class"] == shown["mean"].item()
    assert whole.info.status == "FINISHED"


def test_after_a_failure_the_board_goes_on_where_it_was(run, mlflow_runs, monkeypatch):
    def broken(*_):
        raise RuntimeError("no neighbours today")

    only = ONLY | {"recipes": {"dense": {"recipe": QUICK}}, "controls": False}
    with monkeypatch.context() as patch:
        patch.setattr("ae_pipelines.downstream.search.neighbour_agreement", broken)
        with pytest.raises(RuntimeError, match="no neighbours today"):
            run("scoreboard", scoreboard=only)
    assert [record.info.status for record in mlflow_runs()] == ["FAILED", "FAILED"]
    monkeypatch.setattr("ae_pipelines.training.loop.train", broken)
    data = run("scoreboard", scoreboard=only)
    table = pd.read_parquet(data / "08_reporting/scoreboard.parquet")
    assert set(table["task"]) == {"kmeans", "neighbours"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"recipes": ["dens"]}, r"no recipe called 'dens'; .*Did you mean 'dense'"),
        ({"recipes": ["gan"]}, "gan has no encoder, so scoreboard cannot run"),
        ({"recipes": ["dense"], "task": {}}, "scoreboard: task: no such option; .*Did you mean 'tasks'"),
        ({"recipes": ["dense"], "tasks": {"a": {"kind": "clusters"}}}, "no task called 'clusters'.*'cluster'"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_is_written(run, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        run("scoreboard", scoreboard=given)
    assert not (tmp_path / "data").exists()
