"""What is odd, and what an encoder was not trained on: real runs on digits."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from making import ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.latents.file import read_latents
from ae_pipelines.samples.ingest import write_store

ONE_CLASS = {
    "name": "dense",
    "loader": {"normal_labels": ["0"], "batch_size": 32, "corruptions": [{"kind": "gaussian_noise"}]},
    "training": {"epochs": 60, "threads": 1, "validation_share": 0.2},
}
SMALL = {"name": "dense", "training": {"epochs": 10, "threads": 1}}


def test_an_encoder_of_one_digit_tells_the_others_apart(run, mlflow_runs):
    data = run("ingest", "fit", "embed", "detect", recipe=ONE_CLASS)
    metrics = json.loads((data / "08_reporting/detect_metrics.json").read_text())
    assert metrics["auroc"] > 0.97
    assert metrics["auroc"] == pytest.approx(metrics["auroc_blurred_residual"], abs=1e-6)
    assert {"auroc_mahalanobis", "auroc_knn_distance", "auroc_reconstruction_mse", "pca_auroc"} <= {*metrics}
    model = SkopsDataset(filepath=str(data / "06_models/anomaly_model.skops")).load()
    assert (model.kind, model.threshold) == ("blurred_residual", metrics["threshold"])

    table = read_latents(data / "07_model_output/latents.parquet").table
    held_out = (table["label"] == "0") & (table["split"] == "train") & ~table["seen"]
    assert metrics["calibration_rows"] == held_out.sum() > 10
    found = pd.read_parquet(data / "07_model_output/anomalies.parquet")
    assert found["sample_id"].tolist() == table["sample_id"].tolist()
    assert (found["anomaly"] == (found["score"] > metrics["threshold"])).all()
    assert found.loc[held_out, "anomaly"].sum() == 0
    normal_test = (table["label"] == "0") & (table["split"] == "test")
    assert metrics["measured_alarms_per_thousand"] == pytest.approx(1000 * found["anomaly"][normal_test].mean())
    (record,) = mlflow_runs()
    assert record.data.metrics["detect/auroc"] == metrics["auroc"]
    assert (data / "08_reporting/oddest.png").stat().st_size > 20_000


def test_a_method_without_decoder_is_served_by_distances(run):
    data = run("ingest", "fit", "embed", "detect", recipe={"name": "siamese", "training": {"epochs": 1, "threads": 1}})
    model = SkopsDataset(filepath=str(data / "06_models/anomaly_model.skops")).load()
    assert model.kind == "mahalanobis"
    control = SkopsDataset(filepath=str(data / "06_models/pca_anomaly_model.skops")).load()
    assert control.kind == "mahalanobis", "the control differs in nothing but the encoder"
    assert (data / "08_reporting/oddest.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("recipe", "detect", "message"),
    [
        ({"name": "dense"}, {"kind": "mahalanobs"}, "Did you mean 'mahalanobis'"),
        ({"name": "siamese"}, {"kind": "reconstruction_mse"}, "siamese has no decoder, so detect.kind="),
        ({"name": "dense"}, {"alarms_per_thousand": 0}, "greater than 0"),
    ],
)
def test_what_cannot_be_detected_is_refused_before_anything_runs(run, tmp_path, recipe, detect, message):
    with pytest.raises((InputError, ValueError), match=message):
        run("ingest", "fit", "embed", "detect", recipe=recipe, detect=detect)
    assert not (tmp_path / "data/02_intermediate").exists()


def test_latents_of_other_samples_or_of_another_encoder_are_refused_and_nothing_is_overwritten(ran, run):
    ran("ingest", "fit", "embed", recipe=SMALL)
    data = run("detect", recipe=SMALL)
    samples = data / "02_intermediate/samples"
    made = [data / "06_models/anomaly_model.skops", data / "07_model_output/anomalies.parquet"]
    before = [path.stat().st_mtime_ns for path in made]
    shutil.move(samples, data / "kept")
    write_store(samples, ArraySource(np.zeros((9, 1, 8, 8), np.uint8)))
    with pytest.raises(InputError, match=r"the latents were made from the samples \w+, but .* holds \w+"):
        run("detect", recipe=SMALL)
    shutil.rmtree(samples)
    shutil.move(data / "kept", samples)
    run("fit", recipe={"name": "dense", "training": {"epochs": 1, "threads": 1, "seed": 5}})
    with pytest.raises(InputError, match="made by the model .* but the one at hand is"):
        run("detect", recipe=SMALL)
    assert [path.stat().st_mtime_ns for path in made] == before


def test_an_encoder_says_what_it_was_not_trained_on(ran, run, tmp_path):
    trained = shutil.move(ran("ingest", "fit", "embed", recipe=SMALL), tmp_path / "trained")
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "noise.npy", noise)
    source = {"name": "array", "path": str(tmp_path / "noise.npy"), "layout": "NHW"}
    data = run("ingest", "recognise", source=source, recognise={"trained": str(trained)})
    metrics = json.loads((data / "08_reporting/recognise_metrics.json").read_text())
    assert metrics["share_outside"] == 1
    assert metrics["own_share_outside"] < 0.1
    assert "was not trained on data like this" in (data / "08_reporting/verdict.json").read_text()
    found = pd.read_parquet(data / "07_model_output/familiarity.parquet")
    assert len(found) == 50
    assert (data / "08_reporting/familiarity_histogram.png").stat().st_size > 5000

    run("ingest", "recognise", recognise={"trained": str(trained)})
    own = read_latents(trained / "07_model_output/latents.parquet").table
    again = pd.read_parquet(data / "07_model_output/familiarity.parquet")
    np.testing.assert_allclose(again["reconstruction_error"], own["reconstruction_error"], rtol=1e-3)
    assert "was trained on data like this" in (data / "08_reporting/verdict.json").read_text()

    np.save(tmp_path / "noise.npy", noise[:, :7])
    with pytest.raises(InputError, match=r"not what the trained encoder was trained on: shape \(1, 7, 8\)"):
        run("ingest", "recognise", source=source, recognise={"trained": str(trained)})


def test_other_data_may_not_replace_the_encoders_own(run, tmp_path):
    with pytest.raises(InputError, match="are the same folder"):
        run("ingest", "recognise", recognise={"trained": str(tmp_path / "data")})
    with pytest.raises(InputError, match="give as trained the data folder"):
        run("ingest", "recognise")
    assert not (tmp_path / "data/02_intermediate").exists()
