"""`compare`: one page of two runs."""

import shutil

import pandas as pd
import pytest

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.report.two_runs.options import LATENTS

PAGE = "08_reporting/compare.html"


def changed(data, name, column, rows, value):
    path = data / "07_model_output" / name
    table = pd.read_parquet(path)
    table.loc[rows, column] = value
    with seals.replacing(path) as temporary:
        table.to_parquet(temporary)


def runs():
    from mlflow import MlflowClient

    client = MlflowClient()
    return client.search_runs([client.get_experiment_by_name("ae_pipelines").experiment_id])


def test_two_runs_are_compared_by_folder_and_by_id(run, ran, tmp_path):
    data = ran("train")
    other = shutil.copytree(data, tmp_path / "other run")
    changed(other, "predictions.parquet", "predicted", [0, 1, 2], "7")
    changed(other, "clusters.parquet", "cluster", [5, 6], -1)
    (other / "06_models/anomaly_model.skops").unlink()
    run("compare", compare={"with": str(other)})
    text = (data / PAGE).read_text()
    assert "2 are in another group, 3 have another predicted label." in text
    assert "The other run: what detect made is of other latents" in text
    assert "plot-there" in text

    trained = next(one for one in runs() if one.data.tags["pipeline"] == "train")
    by_id = {"with": f"runs:/{trained.info.run_id}"}
    with pytest.raises(InputError, match="the same folder"):
        run("compare", compare=by_id)
    moved = shutil.move(data, tmp_path / "moved")
    run("compare", data_dir=str(moved), compare=by_id)
    text = (moved / PAGE).read_text()
    assert "samples, groups and maps are not" in text
    assert "test samples whose class is right" in text


def test_what_cannot_be_compared_is_refused_and_leaves_no_run(run, tmp_path):
    data = tmp_path / "data"
    (data / LATENTS).parent.mkdir(parents=True)
    for given, message in (
        ({}, "no other run was named"),
        ({"with": str(tmp_path / "nowhere")}, "there is no such folder"),
        ({"with": "runs:/0123"}, "there is no MLflow run 0123"),
    ):
        with pytest.raises(InputError, match=message):
            run("compare", compare=given)
    assert runs() == []
