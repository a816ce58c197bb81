"""Results of made samples, without a training: what the map of a page is made from."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from making import ArraySource

from ae_pipelines.downstream import plane
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.report.results import Results
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.store import Samples

ENCODER = SimpleNamespace(contract=SimpleNamespace(sha256="made"))


def results_of(samples: Samples, vectors: np.ndarray) -> Results:
    """Latents (n, d) of all samples, laid out by their principal components."""
    table = samples.index[["sample_id", "split", "label"]].assign(seen=samples.index["split"] == "train")
    latents = LatentsInMemory(table, vectors, {"encoder_sha256": "made", "samples_id": samples.id})
    places = plane.plane(latents, ("pca",), most=len(samples), seed=0)
    return Results(samples=samples, latents=latents, map=places, autoencoder=ENCODER)


def store_of(folder: Path, values: np.ndarray, **more: list) -> Samples:
    return write_store(folder, ArraySource(values, **more))


def labelled(results: Results, labels: list[str | None]) -> Results:
    """The same results, with these labels."""
    table = results.latents.table.assign(label=pd.Series(labels, dtype="str"))
    results.latents = LatentsInMemory(table, results.latents.vectors, results.latents.metadata)
    return results
