"""Results of runs, put together by hand: nothing is trained, and every group, class and anomaly is as it is given."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from making import ArraySource, images

from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.report.two_runs.side import Found
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.samples.store import Samples

ROWS = 40


def samples(folder: Path, ids: list[str] | None = None, rows: int = ROWS, seed: int = 0) -> Samples:
    """Images, the first half of which are labelled `a`, the others `b`; every other one is a test sample."""
    labels = ["a" if row < rows // 2 else "b" for row in range(rows)]
    splits = ["test" if row % 2 else "train" for row in range(rows)]
    source = ArraySource(images(rows, seed=seed), labels, splits, ids)
    return write_store(folder, source)


def found(store: Samples, encoder: str = "e" * 64, recipe: str = "dense", size: int = 3, **parts: Any) -> Found:
    """What a run left: `clusters`, `predictions` and `anomalies` as arrays, and whatever else a run leaves."""
    rows = len(store)
    latents = _latents(store, encoder, size)
    ids = {"sample_id": latents.column("sample_id")}
    fitted = EncodedBy.of(latents)
    tables: dict[str, Any] = {}
    if (groups := parts.pop("clusters", None)) is not None:
        tables["clusters"] = pd.DataFrame({**ids, "cluster": groups, "distance": np.zeros(rows, np.float32)})
        tables["cluster_model"] = SimpleNamespace(encoded_by=fitted, kind="kmeans")
    if (labels := parts.pop("predictions", None)) is not None:
        tables["predictions"] = pd.DataFrame({**ids, "predicted": labels, "probability": np.ones(rows, np.float32)})
        tables["classifier"] = SimpleNamespace(encoded_by=fitted)
    if (odd := parts.pop("anomalies", None)) is not None:
        tables["anomalies"] = pd.DataFrame({**ids, "score": np.where(odd, 2.0, 0.5), "anomaly": odd})
        tables["anomaly_model"] = SimpleNamespace(encoded_by=fitted, kind="errors", threshold=1.0)
    return Found(samples=store, latents=latents, autoencoder=_model(encoder, recipe, size), **tables, **parts)


def _latents(store: Samples, encoder: str, size: int) -> LatentsInMemory:
    table = store.index[["sample_id", "split", "label"]].assign(seen=store.index["split"] == "train")
    table["reconstruction_error"] = np.linspace(0.1, 0.2, len(store), dtype=np.float32)
    vectors = np.random.default_rng(int(encoder[0], 16)).normal(size=(len(store), size)).astype(np.float32)
    return LatentsInMemory(table, vectors, {"encoder_sha256": encoder, "samples_id": store.id})


def _model(encoder: str, recipe: str, size: int) -> Any:
    return SimpleNamespace(
        contract=SimpleNamespace(
            sha256=encoder,
            recipe=recipe,
            run_id=None,
            model={"kind": "autoencoder", "latent_size": size},
            corruptions=[],
            task=SimpleNamespace(classes=()),
            learned_from=LearnedFrom(),
            initial_encoder=None,
            elsewhere=None,
            versions={"torch": "1"},
        )
    )
