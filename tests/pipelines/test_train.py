"""The main job, end to end on digits."""

import json

import numpy as np
import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines import latents
from ae_pipelines.trained import TrainedModel


@pytest.fixture
def trained(run):
    return run("train")


def test_train_writes_the_half_product_and_what_stands_on_it(trained, mlflow_runs):
    found = latents.read(trained / "07_model_output/latents.parquet")
    assert len(found) == 1797
    assert found.table["sample_id"].is_unique
    assert np.isfinite(found.vectors).all()
    for name in ("clusters", "predictions"):
        joined = pd.read_parquet(trained / f"07_model_output/{name}.parquet")
        assert joined["sample_id"].tolist() == found.table["sample_id"].tolist()

    encoder = TrainedModel.load(trained / "06_models/encoder")
    assert found.metadata["run_id"] == encoder.contract.run_id

    (record,) = mlflow_runs()
    assert record.info.status == "FINISHED"
    assert record.info.run_id == encoder.contract.run_id
    assert record.data.params["recipe.training.epochs"] == "2"
    assert record.data.params["recipe.model.net.kind"] == "dense"
    assert record.data.params["source"] == "digits"
    assert record.data.tags["pipeline"] == "train"
    assert record.data.tags["samples.id"] == encoder.contract.samples_id
    metrics = json.loads((trained / "08_reporting/classify_metrics.json").read_text())
    assert record.data.metrics["classify/accuracy"] == metrics["accuracy"]
    for name in ("cluster/pca_accuracy", "embed/reconstruction_error", "ingest/accepted", "fit/loss"):
        assert name in record.data.metrics
    kept = {path.name for path in (trained.parent / "mlartifacts").rglob("*") if path.is_file()}
    assert {"latent_map.png", "confusion_matrix.png", "reconstructions.png", "contract.json"} <= kept


def test_a_second_run_with_nothing_missing_does_nothing_and_a_missing_file_is_made_again(run, mlflow_runs):
    data = run("train")
    made = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}
    run("train", only_missing=True)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(mlflow_runs()) == 1, "a run in which no node runs is not recorded"
    (data / "07_model_output/clusters.parquet").unlink()
    run("train", only_missing=True)
    assert (data / "07_model_output/clusters.parquet").exists()
    model = data / "06_models/autoencoder/weights.safetensors"
    assert model.stat().st_mtime_ns == made[model], "the autoencoder was not trained again"


def test_two_sessions_in_one_process_are_two_runs(run, mlflow_runs):
    run("ingest")
    run("ingest")
    assert [record.info.status for record in mlflow_runs()] == ["FINISHED", "FINISHED"]


def test_an_encoder_alone_gives_the_latents_of_the_file(trained):
    from ae_pipelines.samples import Samples

    values = Samples(trained / "02_intermediate/samples").read()
    found = latents.read(trained / "07_model_output/latents.parquet")
    encoder = TrainedModel.load(trained / "06_models/encoder")
    np.testing.assert_allclose(encoder.encode(values), found.vectors, atol=1e-5)


def test_training_again_on_the_same_data_gives_the_same_weights(run):
    first = TrainedModel.load(run("ingest", "fit") / "06_models/autoencoder")
    again = TrainedModel.load(run("fit") / "06_models/autoencoder")
    for one, other in zip(first.module.parameters(), again.module.parameters(), strict=True):
        assert one.equal(other)


@pytest.mark.parametrize("recipe", ["conv", "course", "denoising"])
def test_the_other_recipes_train_too(run, recipe):
    data = run("ingest", "fit", "embed", recipe={"name": recipe, "training": {"epochs": 1, "threads": 1}})
    assert TrainedModel.load(data / "06_models/encoder").contract.recipe == recipe


def test_mnist_itself_goes_through(run, test_data):
    recipe = {"name": "dense", "training": {"epochs": 1}}
    data = run("train", source="mnist", raw_dir=str(test_data), recipe=recipe)
    found = latents.read(data / "07_model_output/latents.parquet")
    assert len(found) == 70_000
    assert found.table["sample_id"].is_unique
    assert json.loads((data / "08_reporting/classify_metrics.json").read_text())["accuracy"] > 0.85


def test_every_structured_parameter_reaches_its_node_typed():
    from pydantic import BaseModel

    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT) as session:
        catalog = session.load_context().catalog
    from kedro.framework.project import pipelines

    names = {name for name in pipelines["__default__"].inputs() if name.startswith("params:")}
    assert names == {"params:ingest", "params:recipe", "params:cluster", "params:classify"}
    assert all(isinstance(catalog.load(name), BaseModel) for name in names)


def test_every_dataset_is_persisted_and_has_a_layer():
    from kedro.io import MemoryDataset

    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT) as session:
        catalog = session.load_context().catalog
    from kedro.framework.project import pipelines

    for name in pipelines["__default__"].datasets():
        if not name.startswith("params:"):
            dataset = catalog.get(name)
            assert dataset is not None, name
            assert not isinstance(dataset, MemoryDataset), name
            assert dataset.metadata["kedro-viz"]["layer"], name
