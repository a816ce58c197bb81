"""Data folders with models that real runs have trained and registered."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stores
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT
from sklearn.datasets import load_digits

from ae_pipelines.scoring.scores import ScoredBatch

SMALL = {"name": "dense", "training": {"epochs": 3, "threads": 1}, "model": {"net": {"widths": [64]}, "latent_size": 8}}
ORDER = np.random.default_rng(0).permutation(len(load_digits().target))  # the digits come writer by writer
IMAGES = (load_digits().images[ORDER] * (255 / 16)).round().astype(np.uint8)
LABELS = load_digits().target[ORDER]
KEPT_BACK = 400


@dataclass(frozen=True)
class Place:
    """A data folder, files beside it, and the registry."""

    folder: Path

    @property
    def registry(self) -> str:
        return stores.address(self.folder)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def file(self, name: str, values: np.ndarray) -> Path:
        np.save(path := self.folder / f"{name}.npy", values)
        return path

    def run(self, *pipelines: str, **params: Any) -> None:
        bootstrap_project(PROJECT)
        given = {"data_dir": str(self.data), "recipe": SMALL, **params}
        with KedroSession.create(project_path=PROJECT, runtime_params=given) as session:
            session.run(pipeline_names=list(pipelines))

    def score(self, values: np.ndarray, layout: str = "NHW", name: str = "new", **more: Any) -> None:
        source = {"name": "array", "path": str(self.file(name, values)), "layout": layout, **more.pop("source", {})}
        self.run("score", source=source, **more)

    def batches(self) -> list[ScoredBatch]:
        return [ScoredBatch(path) for path in sorted((self.data / "07_model_output" / "scores").glob("*/*.parquet"))]

    @property
    def train_file(self) -> Path:
        """What the models were trained on."""
        return self.folder / "train.npz"


def train(place: Place, values: np.ndarray, layout: str) -> None:
    """Fill a place, in which there is an empty registry."""
    np.savez(place.train_file, values=values[KEPT_BACK:], labels=LABELS[KEPT_BACK:])
    source = {"path": str(place.train_file), "layout": layout, "key": "values", "labels": "labels"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", place.registry)
        place.run("train", source={"name": "array", **source})
