"""The main job and the nightly one on samples that nobody has labelled."""

import json

import numpy as np
import onnxruntime
import pytest
from kedro.framework.session import KedroSession
from making import PROJECT
from PIL import Image
from sklearn.datasets import load_digits

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.scores import ScoredBatch

DIGITS = load_digits(n_class=3)
IMAGES, KEPT_BACK = (DIGITS.images * 15).astype(np.uint8), 80
QUICK = {"name": "dense", "training": {"epochs": 2, "threads": 1}, "loader": {"batch_size": 32}}
OF_CLASSES = [
    *("06_models/classifier.skops", "06_models/pca_classifier.skops", "07_model_output/predictions.parquet"),
    *("07_model_output/to_label.parquet", "08_reporting/classify_metrics.json", "08_reporting/per_class.parquet"),
    *("08_reporting/confusion_matrix.png", "08_reporting/few_labels.json", "08_reporting/reliability.png"),
]


def folder(path, images):
    path.mkdir(parents=True)
    for row, image in enumerate(images):
        Image.fromarray(image).save(path / f"{row}.png")
    return {"name": "image_folder", "path": str(path), "labels": "none"}


def array(path, labels):
    np.savez(path, values=IMAGES, labels=labels)
    return {"name": "array", "path": str(path), "key": "values", "labels": "labels", "layout": "NHW"}


def train_samples(data):
    return len(Samples(data / "02_intermediate/samples").positions("train"))


def test_an_unlabelled_folder_is_trained_on_exported_registered_and_scored_every_night(run, tmp_path, capsys, caplog):
    data = run("train", source=folder(tmp_path / "raw", IMAGES[KEPT_BACK:]), recipe=QUICK)
    said = [record.message for record in caplog.records if "left out" in record.message]
    assert said == [
        "classify is left out, all else is done: a classifier needs labelled train samples of at least two classes; "
        f"none of the {train_samples(data)} train samples has a label: give labels"
    ]
    shown = capsys.readouterr().out
    assert "classify was left out: a classifier needs labelled" in shown
    assert "reconstruction error (mse, test)" in shown
    assert "is champion now" in shown
    assert not any(name in shown for name in ("predictions.parquet", "confusion_matrix", "classifier accuracy"))
    assert not any((data / name).exists() for name in OF_CLASSES)
    assert 2 <= json.loads((data / "08_reporting/cluster_metrics.json").read_text())["clusters"] <= 15

    kept = ScoringModel(data / "06_models/scoring_model")
    assert (kept.contract.classes, kept.classifier) == ((), None)
    assert set(kept.contract.kinds) == {"method", "clusterer", "detector"}
    assert not any(name.startswith("classify/") for name in kept.contract.metrics)
    session = onnxruntime.InferenceSession(data / "06_models/onnx/scorer.onnx")
    assert [output.name for output in session.get_outputs()] == [
        *("latent", "cluster", "distance", "reconstruction_error", "anomaly_score", "anomaly")
    ]

    run("score", source=folder(tmp_path / "new", IMAGES[:KEPT_BACK]), recipe=QUICK)
    (batch,) = (ScoredBatch(path) for path in (data / "07_model_output/scores").glob("*/*.parquet"))
    scored = batch.table()
    assert len(scored) == KEPT_BACK
    assert scored["cluster"].between(0, 14).all()
    assert scored["anomaly_score"].notna().all()
    assert not {"predicted", "probability"} & {*scored}


def test_what_an_earlier_run_made_of_labels_is_gone_where_there_are_none(run, tmp_path, mlflow_runs):
    data = run("ingest", "fit", "embed", source=array(tmp_path / "one.npz", np.zeros(len(IMAGES), int)), recipe=QUICK)
    for name in OF_CLASSES:
        (data / name).parent.mkdir(exist_ok=True)
        (data / name).write_text("of an earlier run")
    with KedroSession.create(PROJECT, runtime_params={"data_dir": str(data), "recipe": QUICK}) as session:
        session.run(pipeline_names=["train"], namespaces=["classify"])  # as an orchestrator's task
    assert not any((data / name).exists() for name in OF_CLASSES)
    assert isinstance(SkopsDataset(filepath=str(data / "06_models/classifier.skops")).load(), Skipped)
    last = mlflow_runs()[-1]
    assert last.info.status == "FINISHED"
    assert "nothing_to_do" not in last.data.tags, "an orchestrator would leave out what follows"
    with pytest.raises(
        InputError, match="train samples of 1 class .'0'.: give labels, or run train, which leaves classify out then"
    ):
        run("classify", recipe=QUICK)


def test_a_stage_that_was_asked_for_by_name_is_refused_before_training(run, tmp_path):
    with pytest.raises(InputError, match="train samples has a label.*, or run train, which leaves classify out then"):
        run("ingest", "fit", "embed", "classify", source=folder(tmp_path / "raw", IMAGES), recipe=QUICK)
    assert not (tmp_path / "data/06_models").exists()
