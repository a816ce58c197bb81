"""Where a browser shows a run."""

from types import SimpleNamespace

import pytest

from ae_pipelines.tracking.store import page_of

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
