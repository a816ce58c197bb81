"""A table of numbers, categories, truth values and dates with missing cells, from the file to scores of new rows."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from making import PATIENCE, PROJECT
from sklearn.datasets import load_breast_cancer

from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.raw import scored_raw
from ae_pipelines.scoring.scores import ScoredBatch

RECIPE = {"name": "dense", "model": {"latent_size": 4}, "loader": {"batch_size": 32}}
RECIPE["training"] = {"epochs": 3, "threads": 1}
KINDS = {"site": "category", "left": "boolean", "seen_on": "date"}

ALONE = "import sys\nsys.modules.update(dict.fromkeys(['ae_pipelines', 'torch', 'onnx', 'pandas', 'sklearn']))\n"
ANSWERS = """
latent, cluster = scorer.run(["latent", "cluster"], {"raw": features(columns, learned)})
print(json.dumps([latent.tolist(), scores.tolist(), cluster.tolist()]))
"""


def patients(rows, seed):
    """Tumours, with where, when and by whom they were seen; 15 % of all cells but the diagnosis are missing."""
    draw, known = np.random.default_rng(seed), load_breast_cancer(as_frame=True)
    frame = known.data.iloc[:, :8].loc[rows].reset_index(drop=True)
    frame["site"] = draw.choice(["A", "B", "C"], len(frame))
    frame["method"] = draw.choice(["scan", "biopsy"], len(frame))
    frame["note"] = [f"patient seen, {number}" for number in draw.permutation(len(frame))]
    frame["left"] = draw.random(len(frame)) < 0.5
    frame["seen_on"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 700, len(frame)), "D")
    frame["country"] = "NL"
    frame = frame.astype(object).mask(draw.random(frame.shape) < 0.15)
    return frame.assign(country="NL", diagnosis=known.target_names[known.target[rows]])


@pytest.fixture
def files(tmp_path):
    everything = np.random.default_rng(0).permutation(569)
    patients(everything, 0).to_csv(tmp_path / "patients.csv", index=False)
    new = patients(everything[:60], 1).drop(columns="diagnosis")
    new.loc[:2, "site"] = "elsewhere"
    new.loc[5, ["mean radius", "site", "seen_on"]] = None
    new[new.columns[::-1]].assign(ward=7).to_csv(tmp_path / "new.csv", index=False)
    return tmp_path


def table(path, **more):
    return {"name": "table", "path": str(path), **more}


def test_a_mixed_table_is_learned_from_and_new_rows_are_scored_the_same_everywhere(files, run, caplog):
    data = run("train", source=table(files / "patients.csv", label="diagnosis"), recipe=RECIPE)

    counts = json.loads((data / "08_reporting/ingest_metrics.json").read_text())
    assert (counts["read"], counts["accepted"], counts["labelled"]) == (569, 569, 569)
    became = pd.read_parquet(data / "02_intermediate/columns.parquet").set_index("column")
    assert became["type"].to_dict() | KINDS == became["type"].to_dict()
    assert became.loc["note", "treatment"].startswith("left out: free text or ids")
    assert became.loc["country", "treatment"] == "left out: constant"
    assert became["missing"].drop(["note", "country"]).between(0.08, 0.22).all()
    samples = Samples(data / "02_intermediate/samples")
    assert samples.spec.shape == (became["features"].sum(),)
    oddest = pd.read_parquet(data / "07_model_output/oddest_samples.parquet")
    anomalies = pd.read_parquet(data / "07_model_output/anomalies.parquet").set_index("sample_id")
    assert oddest["score"].tolist() == sorted(anomalies["score"], reverse=True)[: len(oddest)]
    np.testing.assert_allclose(oddest["reconstruction_error"], oddest["score"], rtol=1e-4)  # the default detector
    assert oddest["most_of_it"].str.fullmatch(r"(.+: [\d.e+-]+, ){2}.+: [\d.e+-]+ of [\d.e+-]+").all()

    caplog.clear()
    run("score", source=table(files / "new.csv"), recipe=RECIPE)
    assert "not met in the train rows: 'elsewhere' in column 'site' (3 rows)" in caplog.text
    assert "columns that the training did not have are not used: 'ward'" in caplog.text
    (path,) = (data / "07_model_output/scores").glob("*/*.parquet")
    batch = ScoredBatch(path)
    vectors = np.stack(batch.read("latent").column(0).to_pylist())
    assert len(vectors) == 60

    models = ScoringModel(data / "06_models/registered_model/models")
    with (files / "new.csv").open() as file:
        records = list(csv.DictReader(file))
    names = models.contract.samples.preprocessing["columns"]
    answers = scored_raw(models, [{name: record[name] or None for name in names} for record in records])
    np.testing.assert_allclose([answer["latent"] for answer in answers], vectors, atol=1e-5)

    (example,) = re.findall(r"```py\n(.*?)```", (PROJECT / "docs/use_anywhere.md").read_text(), re.DOTALL)
    script = ALONE + example + ANSWERS
    done = subprocess.run([sys.executable, "-c", script], cwd=files, text=True, capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    told, answers = done.stdout.splitlines()
    assert told == str({"site": (3, "'elsewhere'")})
    latent, score, cluster = json.loads(answers)
    np.testing.assert_allclose(latent, vectors, atol=1e-4)
    np.testing.assert_allclose(score, batch.table()["anomaly_score"], rtol=1e-3)
    assert cluster == batch.table()["cluster"].tolist()
