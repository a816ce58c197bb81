"""Runs that are on record, and the folders in which they worked."""

import json
import time

import numpy as np
import pyarrow as pa
import pytest
import stores

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents
from ae_pipelines.report.two_runs.options import LATENTS
from ae_pipelines.tracking.recorded import DATA_DIR, RecordedRuns, folder_of_run
from ae_pipelines.tracking.runs import new_run


@pytest.fixture(autouse=True)
def store(tmp_path, empty_store, monkeypatch):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(tmp_path))


def run_that_worked_in(folder, tmp_path):
    return new_run(tmp_path, "train", time.time(), {DATA_DIR: str(folder)})


def write(folder, run_id):
    """Latents of an encoder that this run trained."""
    rows = {"sample_id": ["0"], "split": ["train"], "label": ["a"], "seen": [True]}
    metadata = {"encoder_sha256": "e", "samples_id": "s", "run_id": run_id}
    path = folder / LATENTS
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = [LatentBlock(np.zeros((1, 2), np.float32))]
    write_latents(path, LatentStream(iter([pa.RecordBatch.from_pydict(rows)]), iter(blocks), metadata))


def test_a_run_is_looked_for_in_its_folder_as_long_as_that_holds_its_encoder(tmp_path):
    record = run_that_worked_in(tmp_path / "data", tmp_path)
    assert folder_of_run(tmp_path, record.id) is None
    write(tmp_path / "data", record.id)
    assert folder_of_run(tmp_path, record.id) == tmp_path / "data"
    write(tmp_path / "data", "a later run")
    assert folder_of_run(tmp_path, record.id) is None


def test_a_run_that_embedded_by_an_encoder_of_another_run_is_found_too(tmp_path):
    record = run_that_worked_in(tmp_path / "data", tmp_path)
    write(tmp_path / "data", "an earlier run")
    kept = tmp_path / "encoder"
    kept.mkdir()
    (kept / "contract.json").write_text(json.dumps({"run_id": "an earlier run"}))
    record.artifact(kept, "encoder/encoder")
    assert folder_of_run(tmp_path, record.id) == tmp_path / "data"


def test_metrics_and_parameters_are_those_that_stages_reported(tmp_path):
    record = run_that_worked_in(tmp_path / "data", tmp_path)
    classify = {
        "accuracy": 0.9,
        "accuracy_low": 0.8,
        "accuracy_high": 0.95,
        "pca_accuracy": 0.7,
        "pca_accuracy_low": 0.6,
    }
    record.report({f"classify/{name}": value for name, value in classify.items()})
    record.parameters({"recipe": {"name": "conv"}})
    record.end("FINISHED")
    found = RecordedRuns(tmp_path).of(record.id)
    assert found.metrics == {"classify": classify}
    assert found.parameters["recipe.name"] == "conv"


def test_an_unknown_run_is_refused(tmp_path):
    assert RecordedRuns(tmp_path).of("0123") is None
    with pytest.raises(InputError, match=r"compare.with: there is no MLflow run 0123"):
        folder_of_run(tmp_path, "0123")
