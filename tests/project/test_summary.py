"""What is shown when a run ends: what catalog entries say of themselves."""

import json
import shutil

import pytest
import stores
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines import pipelines
from ae_pipelines.base.errors import InputError

PIPELINE = """
from kedro.pipeline import Node, Pipeline


def weigh(samples):
    bounds = {"grams_low": 11.0, "grams_high": 14.0, "weighed": 8.0, "usual": 10.0}
    return {"grams": 12.5, "pca_grams": 11.0, "stones": 3.0} | bounds


def create_pipeline(**_):
    return Pipeline([Node(weigh, "samples", "weigh_metrics", name="weigh_samples")])
"""
FILE = "${runtime_params:data_dir}/08_reporting/weigh_metrics.json"


@pytest.fixture
def with_stage(tmp_path, empty_store, monkeypatch, capsys):
    """Runs `ingest` and a stage that lies outside the package, whose metrics have this `metadata` in the catalog; gives
    what is shown at the end."""
    (tmp_path / "stages" / "weigh").mkdir(parents=True)
    (tmp_path / "stages" / "weigh" / "__init__.py").write_text(PIPELINE)
    monkeypatch.setattr(pipelines, "__path__", [*pipelines.__path__, str(tmp_path / "stages")])
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(tmp_path))
    shutil.copytree(PROJECT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    (tmp_path / "conf" / "local").mkdir()

    def run(metadata: dict) -> str:
        entry = {"type": "ae_pipelines.io.atomic_datasets.JSONDataset", "filepath": FILE, "metadata": metadata}
        (tmp_path / "conf" / "base" / "catalog_weigh.yml").write_text(json.dumps({"weigh_metrics": entry}))
        bootstrap_project(PROJECT)
        given = {"data_dir": str(tmp_path / "data")}
        with KedroSession.create(PROJECT, runtime_params=given, conf_source=str(tmp_path / "conf")) as session:
            session.run(pipeline_names=["ingest", "weigh"])
        return capsys.readouterr().out

    yield run
    monkeypatch.undo()
    bootstrap_project(PROJECT)  # without the stage


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_metrics_of_a_stage_from_outside_are_shown_without_anything_said_of_them(with_stage, tmp_path):
    shown = with_stage({"mlflow": "metrics"})
    assert ["weigh", "grams", "12.5", "(11", "to", "14)"] in rows(shown)
    assert ["weigh", "stones", "3"] in rows(shown)
    assert "grams_low" not in shown
    assert ["rejects", str(tmp_path / "data/02_intermediate/rejects.parquet")] in rows(shown)


def test_an_entry_says_which_of_its_metrics_are_compared_and_that_its_file_is_worth_a_look(with_stage, tmp_path):
    summary = {"rows": {"grams": ["weight (g)", ".2f", "lower"], "stones": ["weight (st)", ".0f", "lower"]}, "look": 1}
    shown = rows(with_stage({"mlflow": "metrics", "summary": summary}))
    assert ["weight", "(g)", "12.50", "11.00", "(lower", "is", "better;", "11.00", "to", "14.00)"] in shown
    assert ["weight", "(st)", "3", "(lower", "is", "better)"] in shown, "it has no control"
    listed = [line[0] for line in shown[shown.index(["Look", "at:"]) + 1 :]]
    assert listed[:3] == ["weigh_metrics", "rejects", "rejects_summary"]


def test_bounds_and_rows_stand_beside_a_metric_and_few_rows_are_marked(with_stage):
    summary = {"rows": {"grams": ["weight (g)", ".2f", "lower", "weighed", "usual"]}}
    shown = with_stage({"mlflow": "metrics", "summary": summary})
    assert "(lower is better; 8 weighed: 11.00 to 14.00; usual 10.00)" in shown
    assert ["weight", "(g)", "*"] in [line[:3] for line in rows(shown)]
    assert "* fewer than 30 rows: look at the range, not at the number" in shown


def test_what_is_not_metrics_is_not_shown_unless_it_says_so(with_stage):
    assert "weigh" not in with_stage({})


def test_an_entry_whose_summary_cannot_be_read_is_refused_before_any_work(with_stage, tmp_path):
    with pytest.raises(InputError, match=r"weigh_metrics, metadata.summary: row: no such option; .*'rows'"):
        with_stage({"mlflow": "metrics", "summary": {"row": {}}})
    assert not (tmp_path / "data/02_intermediate").exists()
