"""Sample stores as MLflow's data sets."""

import json
import time

import pandas as pd
import stores
from mlflow import MlflowClient
from mlflow.data.schema import TensorDatasetSchema

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.table import Table
from ae_pipelines.tracking.datasets import columns
from ae_pipelines.tracking.runs import open_run


def test_a_run_names_the_samples_it_worked_on_once(tmp_path, empty_store, monkeypatch, digits):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(tmp_path))
    run = open_run(tmp_path, "train", time.time(), {"pipeline": "train", "source": "digits"})
    for _ in range(2):
        run.samples(digits, "training")
    found = MlflowClient(uri).get_run(run.id)
    assert found.info.run_name == "train · digits"
    (given,) = found.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == (digits.manifest.source, digits.id)
    assert [(tag.key, tag.value) for tag in given.tags] == [("mlflow.data.context", "training")]
    profile = json.loads(given.dataset.profile)
    assert profile["train"] + profile["test"] == profile["accepted"] == len(digits)
    schema = TensorDatasetSchema.from_dict(json.loads(given.dataset.schema))
    assert schema.features.inputs[0].shape == (-1, *digits.spec.shape)


def test_columns_of_a_table_have_names_and_types(tmp_path):
    frame = pd.DataFrame(
        {"age": [31.5, 22.0, 47.25, 31.5] * 10, "kind": ["a", "b"] * 20, "member": [True, True, False, True] * 10}
    )
    frame.to_csv(tmp_path / "people.csv", index=False)
    samples = write_store(tmp_path / "store", Table(path=tmp_path / "people.csv"))
    assert columns(samples.spec) == {"age": "double", "kind": "string", "member": "boolean"}
