"""Stores, and MLflow itself, in folders with odd names."""

import mlflow
import pytest
from alembic.config import Config

from ae_pipelines.tracking import store
from ae_pipelines.tracking.store import EXPERIMENT, client_of


@pytest.fixture
def odd_mlflow(monkeypatch):
    """MLflow as if it lay in a virtual environment below such a folder."""
    place = "/a b #1 %41é/.venv/mlflow"
    monkeypatch.setattr(Config, "set_main_option", Config.set_main_option)  # is put back
    monkeypatch.setattr(mlflow, "__file__", f"{place}/__init__.py")
    store.escape_in_alembic.cache_clear()
    yield place
    store.escape_in_alembic.cache_clear()


def test_a_database_is_made_where_mlflow_lies_in_a_folder_with_a_percent_sign(odd_mlflow, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert client_of(tmp_path).get_experiment_by_name(EXPERIMENT)
    config = Config()
    config.set_main_option("script_location", odd_mlflow)
    assert config.get_main_option("script_location") == odd_mlflow
    config.set_main_option("other", "100%%")
    assert config.get_main_option("other") == "100%"


def test_a_link_to_a_database_has_the_lock_of_the_file_and_stays(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (there := tmp_path / "there").mkdir()
    (tmp_path / "mlflow.db").symlink_to(there / "mlflow.db")
    with store.alone(tmp_path):
        assert client_of(tmp_path).get_experiment_by_name(EXPERIMENT)
    assert (tmp_path / "mlflow.db").is_symlink()
    assert {"mlflow.db", "mlflow.db.lock"} <= {path.name for path in there.iterdir()}
