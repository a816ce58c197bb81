"""Where a browser shows a run."""

import sys
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException

from ae_pipelines.base.errors import InputError
from ae_pipelines.tracking.store import client_of, page_of, printed, said_by_mlflow

RUN = SimpleNamespace(info=SimpleNamespace(experiment_id="7", run_id="0ab"))


@pytest.mark.parametrize(
    ("uri", "page"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/#/experiments/7/runs/0ab"),
        ("https://ml.example.org/team/", "https://ml.example.org/team/#/experiments/7/runs/0ab"),
        ("https://me:secret@ml.example.org", "https://ml.example.org/#/experiments/7/runs/0ab"),
        ("sqlite:////home/me/project/mlflow.db", None),
        ("databricks", None),
    ],
)
def test_a_run_that_a_server_keeps_has_an_address_without_its_password(uri, page):
    assert page_of(uri, RUN) == page


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://me:s3cret@ml.example.org:5000/team", "https://ml.example.org:5000/team"),
        ("postgresql://me:s3cret@db.example.org/mlflow?password=s3cret", "postgresql://db.example.org/mlflow"),
        ("postgresql+psycopg2://me:s3c@ret@db.example.org/mlflow", "postgresql+psycopg2://db.example.org/mlflow"),
        ("postgresql://me:s3/cr3t@db.example.org/mlflow", "postgresql://db.example.org/mlflow"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("databricks://profile", "databricks://profile"),
        ("/home/me/mlruns", "/home/me/mlruns"),
    ],
)
def test_an_address_is_printed_without_who_signs_in_and_their_password(uri, shown):
    assert printed(uri) == shown


def test_what_mlflow_says_is_told_without_the_password(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cret@127.0.0.1:9")
    said = said_by_mlflow(MlflowException("API request to http://me:s3cret@127.0.0.1:9/api/2.0 failed (me:s3cret@)"))
    assert "http://127.0.0.1:9/api/2.0 failed" in said
    assert "s3cret" not in said


def test_a_database_whose_package_is_missing_is_refused_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mysql://me:s3cret@127.0.0.1:9/runs")
    with pytest.raises(InputError, match="needs the package MySQLdb for mysql://127.0.0.1:9/runs"):
        client_of(tmp_path)
