"""Work on tables and latents by ours and by what others use for it: what `peers.py` takes turns with."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from paired import Arm, MnistLike
from torch.utils.data import DataLoader
from training_speed import Images

from ae_pipelines.downstream import clustering
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.downstream.nearest import Index
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import embedding
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

MILLION, GROUPS, SIZE, QUERIES, NEIGHBOURS = 1_000_000, 10, 32, 1_000, 10
TABLE = (20_000, 30)
"""Rows and columns of the table in which anomalies are looked for."""


def arm(name: str, who: str, share: float) -> Arm:
    """Turns of `who` at the work called `name`, on this share of its rows."""
    return WORK[name][who == "ours"](share)


def vectors(share: float) -> np.ndarray:
    """Latents (rows, 32), float32, that overlapping normal distributions draw."""
    draw = np.random.default_rng(1)
    rows = round(MILLION * share)
    centres = draw.normal(0, 2, (GROUPS, SIZE))
    made = draw.normal(0, 2, (rows, SIZE)) + centres[draw.integers(0, GROUPS, rows)]
    return made.astype(np.float32)


def latents(share: float) -> LatentsInMemory:
    """`vectors` as our stages take them."""
    made = vectors(share)
    columns = {"sample_id": np.arange(len(made)).astype(str), "split": "train", "label": None, "seen": True}
    return LatentsInMemory(pd.DataFrame(columns), made, {"encoder_sha256": "made for this benchmark"})


# -- an autoencoder whose errors tell anomalies ----------------------------------------------------------------


def table(share: float) -> np.ndarray:
    rows, columns = TABLE
    draw = np.random.default_rng(0)
    return (draw.normal(size=(max(64, round(rows * share)), 8)) @ draw.normal(size=(8, columns))).astype(np.float32)


def pyod_autoencoder(share: float) -> Arm:
    from pyod.models.auto_encoder import AutoEncoder

    x = table(share)
    net = {"hidden_neuron_list": [64, 32], "batch_norm": False, "dropout_rate": 0.0}
    return lambda: lambda: AutoEncoder(epoch_num=2, batch_size=32, verbose=0, device="cpu", **net).fit(x)


def our_autoencoder(share: float) -> Arm:
    """The same layers, batches and epochs; columns are standardised, and the errors of all rows are computed."""
    x = table(share)
    spec = SampleSpec(shape=x.shape[1:], dtype="float32")
    choice = ModelChoice(kind="autoencoder", net={"kind": "dense", "widths": [64]}, latent_size=32)
    options = TrainOptions(epochs=2, precision="float32", threads=torch.get_num_threads(), device="cpu")

    def work() -> np.ndarray:
        model = choice.build(Task.plain(spec))
        values = torch.from_numpy((x - x.mean(0)) / x.std(0))
        fit(model, Batches(values, Finish(scale=1.0), batch_size=32), None, options)
        with torch.inference_mode():
            return embedding.mean_square(model.decode(model.encode(values)).sub_(values)).numpy()

    return lambda: work


# -- groups ----------------------------------------------------------------------------------------------------


def scikit_kmeans(share: float) -> Arm:
    """One start, as scikit-learn does by default."""
    from sklearn.cluster import KMeans

    x = vectors(share)
    return lambda: lambda: float(KMeans(GROUPS, random_state=0).fit(x).inertia_)


def our_kmeans(share: float) -> Arm:
    found = latents(share)
    return lambda: lambda: clustering.fit_groups(found, ClusterOptions(clusters=GROUPS)).measures["inertia"]


def scikit_mixture(share: float) -> Arm:
    """One start, as scikit-learn does by default."""
    from sklearn.mixture import GaussianMixture

    x = vectors(share)
    return lambda: lambda: GaussianMixture(GROUPS, random_state=0).fit(x).predict(x)


def our_mixture(share: float) -> Arm:
    """With all rows placed, as by scikit-learn."""
    found, options = latents(share), ClusterOptions(kind="gaussian_mixture", clusters=GROUPS)
    return lambda: lambda: clustering.assign(clustering.fit_groups(found, options), found)


# -- neighbours ------------------------------------------------------------------------------------------------


def faiss_search(share: float) -> Arm:
    """faiss with its own settings."""
    import faiss

    x = vectors(share)

    def work() -> object:
        index = faiss.IndexFlatL2(SIZE)
        index.add(x)
        return index.search(x[:QUERIES], NEIGHBOURS)

    return lambda: work


def our_search(share: float) -> Arm:
    x = vectors(share)
    return lambda: lambda: Index(x).nearest(x[:QUERIES], NEIGHBOURS)


# -- latents of all samples ------------------------------------------------------------------------------------


def _images(share: float) -> MnistLike:
    return MnistLike(max(600, round(60_000 * share)))


def _dense(folder: Path, share: float) -> tuple[TrainedModel, Callable[[], object]]:
    samples = write_store(folder / "samples", _images(share))
    net = {"kind": "dense", "widths": [512, 128]}
    recipe = Recipe.model_validate({"model": {"kind": "autoencoder", "net": net}})
    task = recipe.task(samples)
    model = TrainedModel.of(recipe.model.build(task), recipe, task, samples)
    path = folder / "latents.parquet"
    return model, lambda: write_latents(path, embedding.latent_stream(model, samples, errors=False))


def our_export(share: float) -> Arm:
    return lambda: _dense(Path(tempfile.mkdtemp()), share)[1]


def tutorial_export(share: float) -> Arm:
    """A DataLoader, all latents in a DataFrame, and that as parquet."""
    folder = Path(tempfile.mkdtemp())
    model, images = _dense(folder, share)[0], Images(_images(share).values)

    @torch.inference_mode()
    def work() -> None:
        parts = [model.module.encode(x).numpy() for x, _ in DataLoader(images, 512)]
        latents = np.concatenate(parts)
        columns = [f"z{number}" for number in range(latents.shape[1])]
        named = pd.DataFrame(latents, columns=columns).assign(sample_id=[f"{row:05d}" for row in range(len(latents))])
        named.to_parquet(folder / "tutorial.parquet")

    return lambda: work


WORK = {
    # name: theirs, ours; who that is, the package it needs
    "autoencoder and errors, 20,000 × 30": (pyod_autoencoder, our_autoencoder, "PyOD", "pyod"),
    "KMeans, 10 groups of a million": (scikit_kmeans, our_kmeans, "scikit-learn", "sklearn"),
    "mixture, 10 groups of a million": (scikit_mixture, our_mixture, "scikit-learn", "sklearn"),
    "1,000 searches among a million": (faiss_search, our_search, "faiss", "faiss"),
    "latents of 60,000 images, dense": (tutorial_export, our_export, "DataLoader", None),
}
