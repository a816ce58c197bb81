"""A recipe is tuned, as users do it."""

import json
import logging

import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.io.tuned_recipe import SEAL

TINY = {
    "name": "dense",
    "model": {"latent_size": 4, "net": {"widths": [8]}},
    "loader": {"batch_size": 16},
    "training": {"epochs": 3, "threads": 1, "learning_rate": 1e-6},
}
SPACE = {"fields": {"model.latent_size": {"low": 8, "high": 16}, "training.learning_rate": {"low": 3e-3, "high": 1e-2}}}
QUICK = {
    "trials": "3",
    "learn": "300",
    "judge": "60",
    "final_seeds": "2",
    "objective": "reconstruction",
    "space": SPACE,
}


def test_one_command_finds_a_recipe_that_is_picked_by_name(run, tmp_path, mlflow_runs, capsys):
    folder = tmp_path / "recipes"
    data = run("tune", recipe=TINY, tune=QUICK, recipes_dir=str(folder))
    reporting = data / "08_reporting"
    said = json.loads((reporting / "tune_verdict.json").read_text())["verdict"]
    shown = capsys.readouterr().out
    assert "3 trials, 0 pruned, 0 failed" in shown
    assert said in shown.partition("Look at:")[0].splitlines()
    assert f"  {'tune_page':22}{reporting / 'tune.html'}" in shown
    assert "learning_rate" not in shown.partition("Look at:")[2], "it was not asked for"

    trials = pd.read_parquet(reporting / "trials.parquet")
    assert list(trials["state"]) == ["complete"] * 3
    assert trials["model.latent_size"][0] == 4
    found = json.loads((reporting / "tune.json").read_text())
    assert found["winner"] == trials["reconstruction"].argmin()
    assert found["verdict"] == said
    assert (reporting / "tune.html").read_text().count("<html") == 1

    (path,) = folder.iterdir()
    assert path.name == "dense_tuned.yml"
    assert path.read_text().startswith(SEAL)
    assert said in path.read_text()
    assert f"  {'tuned_recipe':22}{path}" in shown

    whole, *parts = mlflow_runs()
    assert (whole.data.tags["pipeline"], whole.info.status) == ("tune", "FINISHED")
    assert whole.data.metrics["tune/validation_reconstruction_tuned"] > 0
    assert {"trials", "tuned_recipe", "tune_page"} <= {file.path for file in artifacts(whole)}
    assert {part.data.tags["mlflow.parentRunId"] for part in parts} == {whole.info.run_id}
    assert {part.info.status for part in parts} == {"FINISHED"}
    names = [part.info.run_name for part in parts]
    assert names[:3] == ["trial 0", "trial 1", "trial 2"]
    assert {"as it was · seed 1 · as a trial", "as it was · seed 1", "tuned · seed 2"} <= {*names}
    by_name = {part.info.run_name: part for part in parts}
    assert by_name["trial 2"].data.metrics["tune/reconstruction"] == pytest.approx(trials["reconstruction"][2])


def artifacts(run):
    from mlflow import MlflowClient

    return MlflowClient().list_artifacts(run.info.run_id)


def test_a_test_of_learning_rates_leaves_what_a_study_has_found(run, ran, tmp_path, capsys, caplog):
    data = ran("ingest")
    earlier = data / "08_reporting/tune.html"
    earlier.write_text("a study")
    caplog.set_level(logging.WARNING)
    run("tune", recipe=TINY, tune={"kind": "learning_rate"}, recipes_dir=str(tmp_path / "recipes"))
    assert earlier.read_text() == "a study"
    assert not (tmp_path / "recipes").exists()
    assert (data / "08_reporting/learning_rate.png").stat().st_size > 5000
    verdict = json.loads((data / "08_reporting/tune_verdict.json").read_text())["verdict"]
    assert verdict.startswith("learning-rate test of dense: ")
    assert verdict in capsys.readouterr().out
    assert "left out" not in caplog.text


@pytest.mark.parametrize(
    ("recipe", "given", "message"),
    [
        ("dense", {"objective": "overlop"}, "no objective called 'overlop'.*Did you mean 'overlap'"),
        ("auto", {}, "tune has no search space: name a recipe"),
    ],
)
def test_what_cannot_be_tuned_is_refused_before_anything_is_written(run, tmp_path, recipe, given, message):
    with pytest.raises(InputError, match=message):
        run("tune", recipe=recipe, tune=given)
    assert not (tmp_path / "data/07_model_output").exists()
    assert recipe == "auto" or not (tmp_path / "data").exists()
