"""Every dataset that a run writes: what is saved is loaded, and a kill leaves the old content."""

import base64
import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kedro.io import DatasetError
from making import ArraySource, images, names_in
from matplotlib.figure import Figure
from PIL import Image
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ae_pipelines.io.atomic_datasets import JSONDataset, MatplotlibDataset, ParquetDataset
from ae_pipelines.io.latents import LatentsDataset
from ae_pipelines.io.sample_store import SampleStoreDataset
from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.io.trained_model import TrainedModelDataset
from ae_pipelines.latents.stream import LatentBlock, LatentStream
from ae_pipelines.samples.ingest import Ingest, IngestOptions
from ae_pipelines.training.loop import train


def figure(value):
    picture = Figure(figsize=(4, 4))
    picture.subplots().imshow(np.full((200, 200), value), vmin=0, vmax=1)
    return picture


def brightness(dataset):
    """0 or 1: a figure cannot be loaded, so its file is decoded to the last byte."""
    with Image.open(dataset._filepath) as picture:
        return int(np.asarray(picture.convert("L"))[200, 200] > 100)


def stream(value):
    columns = {"sample_id": list(map(str, range(20_000))), "split": ["train"] * 20_000}
    index = pa.table(columns | {"label": [None] * 20_000, "seen": [True] * 20_000})
    vectors = np.full((20_000, 16), value, np.float32)
    return LatentStream(iter(index.to_batches()), iter([LatentBlock(vectors, vectors[:, 0])]), {})


# name: dataset class, file name, content for a value, the value back from the dataset
DATASETS = {
    "json": (JSONDataset, "a.json", lambda v: {"v": [v] * 200_000}, lambda d: d.load()["v"][-1]),
    "parquet": (
        ParquetDataset,
        "a.parquet",
        lambda v: pd.DataFrame({"v": [v] * 200_000}),
        lambda d: d.load()["v"].iloc[-1],
    ),
    "figure": (MatplotlibDataset, "a.png", figure, brightness),
    "latents": (LatentsDataset, "a.parquet", stream, lambda d: int(d.load().vectors[-1, -1])),
    "samples": (
        SampleStoreDataset,
        "samples",
        lambda v: Ingest(ArraySource(np.full((3000, 1, 20, 20), v, np.uint8)), IngestOptions()),
        lambda d: int(d.load().read()[-1, 0, 0, 0]),
    ),
    "skops": (
        SkopsDataset,
        "a.skops",
        lambda v: KMeans(1, n_init=1).fit(np.full((500, 2000), float(v))),
        lambda d: int(d.load().cluster_centers_[0, -1]),
    ),
}


@pytest.fixture(params=DATASETS)
def case(request, tmp_path):
    cls, name, content, value = DATASETS[request.param]
    return cls(filepath=str(tmp_path / "data" / name)), content, value


def test_what_is_saved_is_loaded_and_can_be_replaced(case):
    dataset, content, value = case
    assert not dataset.exists()
    for expected in (0, 1):
        dataset.save(content(expected))
        assert dataset.exists()
        assert value(dataset) == expected


def test_a_kill_during_a_save_leaves_the_old_content_or_the_new(case):
    dataset, content, value = case
    started = time.monotonic()
    dataset.save(content(0))
    seconds = time.monotonic() - started
    chance, previous = random.Random(0), 0
    for _ in range(12):
        wanted = 1 - previous
        new = content(wanted)
        child = os.fork()
        if child == 0:
            dataset.save(new)
            os._exit(0)
        time.sleep(chance.uniform(0, 1.2 * seconds))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        found = value(dataset)
        assert found in (previous, wanted)
        previous = found


def test_a_trained_model_survives_a_kill_while_it_is_replaced(tmp_path, digits, recipe, trained):
    dataset = TrainedModelDataset(filepath=str(tmp_path / "autoencoder"))
    dataset.save(trained)
    larger = recipe.model_copy(update={"model": type(recipe.model)(kind="autoencoder", latent_size=9)})
    second, _ = train(digits, larger)
    chance = random.Random(0)
    for _ in range(12):
        child = os.fork()
        if child == 0:
            dataset.save(second)
            os._exit(0)
        time.sleep(chance.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert dataset.load().contract.latent_size in (8, 9)


def test_a_save_that_fails_keeps_the_old_content(tmp_path):
    dataset = JSONDataset(filepath=str(tmp_path / "a.json"))
    dataset.save({"a": 1})
    with pytest.raises(DatasetError):
        dataset.save({"a": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
    assert names_in(tmp_path) == ["a.json"]


def test_a_classifier_pipeline_comes_back_the_same(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(100, 3)), ["a", "b"] * 50
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    dataset = SkopsDataset(filepath=str(tmp_path / "a.skops"))
    dataset.save(model)
    np.testing.assert_array_equal(dataset.load().predict_proba(x), model.predict_proba(x))


def test_types_that_are_not_on_our_list_are_not_opened(tmp_path):
    model = RandomForestClassifier(2).fit(images(20, (3,)), [0, 1] * 10)
    dataset = SkopsDataset(filepath=str(tmp_path / "a.skops"))
    dataset.save(model)
    with pytest.raises(DatasetError, match="holds types that are not trusted"):
        dataset.load()


def test_kedro_viz_is_given_a_picture_itself(tmp_path):
    dataset = MatplotlibDataset(filepath=str(tmp_path / "a.png"))
    dataset.save(figure(1))
    assert base64.b64decode(dataset.preview()) == (tmp_path / "a.png").read_bytes()


def test_a_catalog_of_pictures_and_tables_imports_no_libraries_to_draw_and_to_ask_databases():
    seen = "import sys, ae_pipelines.io.atomic_datasets; print({'matplotlib', 'sqlalchemy'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", seen], text=True).strip() == "set()"
