"""What every registered detector must do."""

import json

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import detection
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.downstream.detectors import DETECTORS
from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.latents.file import LatentsInMemory

ROWS = 900
ODD = np.arange(ROWS) % 9 == 0


def latents(order=slice(None), odd=ODD, encoder="mine"):
    """Normal rows lie about one point, odd ones elsewhere and with larger errors; a few of the train rows are held
    out."""
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(ROWS, 4)) * [1, 2, 3, 4] + np.where(odd, 25, 0)[:, None]
    splits = np.where(np.arange(ROWS) % 4, "train", "test")
    table = pd.DataFrame({"sample_id": np.arange(ROWS).astype(str), "split": splits})
    table["label"] = np.where(odd, "odd", "fine")
    table["seen"] = (splits == "train") & ~odd & (np.arange(ROWS) % 5 != 0)
    for name in ("reconstruction_error", "blurred_error"):
        table[name] = (draw.gamma(2, 0.01, ROWS) + np.where(odd, 0.3, 0)).astype(np.float32)
    metadata = {"encoder_sha256": encoder, "normal_labels": json.dumps(["fine"])}
    return LatentsInMemory(table.iloc[order].reset_index(drop=True), vectors[order].astype(np.float32), metadata)


@pytest.fixture(params=DETECTORS.kinds())
def options(request):
    return DetectOptions(kind=request.param, alarms_per_thousand=20)


def judged(options, data):
    model = detection.fit_detector(data, options)
    return model, detection.find_anomalies(model, data)


def test_odd_rows_are_told_from_normal_ones(options):
    data = latents()
    model, found = judged(options, data)
    metrics = detection.detection_metrics(data, model, found)
    assert metrics["auroc"] == metrics["average_precision"] == metrics["recall"] == 1
    assert metrics["measured_alarms_per_thousand"] < 60
    assert found["score"].dtype == np.float32
    assert found["sample_id"].tolist() == data.table["sample_id"].tolist()


def test_scores_do_not_depend_on_the_order_of_rows(options):
    _, found = judged(options, latents())
    order = np.random.default_rng(1).permutation(ROWS)
    _, mixed = judged(options, latents(order))
    np.testing.assert_allclose(mixed["score"], found["score"].to_numpy()[order], rtol=1e-3)


def test_neither_test_rows_nor_odd_ones_decide_anything(options):
    model, _ = judged(options, latents())
    others = latents()
    rows = ODD | others.in_split("test")
    others.vectors[rows] *= 7
    others.table.loc[rows, ["reconstruction_error", "blurred_error"]] *= 7
    assert judged(options, others)[0].threshold == pytest.approx(model.threshold, rel=1e-5)


def test_equal_samples_have_equal_scores_whether_the_detector_knows_them_or_not(options):
    data = latents()
    known, new = np.flatnonzero(data.seen)[:40], np.flatnonzero(data.in_split("test"))[:40]
    data.vectors[new] = data.vectors[known]
    for name in ("reconstruction_error", "blurred_error"):
        data.table.loc[new, name] = data.table[name].to_numpy()[known]
    scores = judged(options, data)[1]["score"].to_numpy()
    np.testing.assert_allclose(scores[new], scores[known], rtol=1e-5)


def test_a_saved_model_finds_the_same_anomalies(options, tmp_path):
    data = latents()
    model, found = judged(options, data)
    dataset = SkopsDataset(filepath=str(tmp_path / "anomaly_model.skops"))
    dataset.save(model)
    pd.testing.assert_frame_equal(detection.find_anomalies(dataset.load(), data), found)


def test_latents_of_another_encoder_are_refused(options):
    model, _ = judged(options, latents())
    with pytest.raises(InputError, match="anomaly model was fitted on 4 latents of encoder mine"):
        detection.find_anomalies(model, latents(encoder="other"))


def test_one_normal_row_is_too_few(options):
    data = latents()
    data.table["seen"] = np.arange(ROWS) == 1
    with pytest.raises(InputError, match="at least two rows with the normal label fine .* but these latents have 1"):
        detection.fit_detector(data, options)
