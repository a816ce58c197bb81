import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import drift
from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.drift import DriftOptions
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.parquet import column_of
from ae_pipelines.scoring import report
from ae_pipelines.scoring.scores import ABOUT, Scores
from ae_pipelines.scoring.version import Version

VERSION = Version("model", 1, "0" * 64)
OPTIONS = DriftOptions(fewest_rows=80, seed=3)


def distribution(rows, seed, shift=0.0):
    draw = np.random.default_rng(seed)
    vectors = (draw.normal(size=(rows, 3)) + shift).astype(np.float32)
    clusters, errors = draw.integers(-1, 3, rows).astype(np.int32), draw.gamma(2, 1, rows).astype(np.float32)
    return Distribution(EncodedBy("e" * 64, 3), vectors, clusters, errors)


def scored(folder, batch, name):
    columns = {"latent": column_of(batch.vectors), "cluster": batch.clusters, "reconstruction_error": batch.errors}
    table = pa.table(columns | {"label": ["a"] * len(batch)})
    about = {"encoder_sha256": "e" * 64, "run_id": "run", "seconds": 1.0}
    (folder / VERSION.folder_name).mkdir(exist_ok=True)
    path = folder / VERSION.folder_name / f"{name}.parquet"
    pq.write_table(table.replace_schema_metadata({ABOUT: json.dumps(about)}), path, row_group_size=25)


@pytest.fixture
def model():
    return SimpleNamespace(version=VERSION, models=SimpleNamespace(reference=distribution(300, 0)))


def test_drift_of_a_sample_of_what_was_scored_is_that_of_all_of_it(tmp_path, model, monkeypatch):
    monkeypatch.setattr(drift, "BATCH_ROWS", 60)
    monkeypatch.setattr("ae_pipelines.base.part_files.ROWS_AT_ONCE", 30)
    whole = distribution(140, 1, shift=0.5)
    for name, rows in (("first", slice(0, 90)), ("second", slice(90, None))):
        parts = (whole.vectors[rows], whole.clusters[rows], whole.errors[rows])
        scored(tmp_path, Distribution(whole.encoded_by, *parts), name)
    batch, rows = report.batch_of(model, Scores(tmp_path), OPTIONS)
    assert (len(batch), rows) == (60, 140)
    found = report.drift_report(model, batch, rows, OPTIONS)
    assert found == drift.compare(model.models.reference, whole, OPTIONS) | {"model": str(VERSION)}
    assert found["verdict"] == "drift"


def test_latents_that_are_not_finite_are_refused_also_outside_of_the_sample(tmp_path, model, monkeypatch):
    monkeypatch.setattr(drift, "BATCH_ROWS", 2)
    bad = distribution(100, 1)
    bad.vectors[:50, 1] = np.nan
    scored(tmp_path, bad, "first")
    with pytest.raises(InputError, match="50 of 100 latents of the new rows have NaN or Inf"):
        report.batch_of(model, Scores(tmp_path), OPTIONS)
