"""Small results of a run, made by hand: nothing is trained."""

import json
import re
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
from making import ArraySource, images

from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.report.results import Results
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

ROWS = 40
NASTY = "<script>alert('x')</script>\"&"


class ByHand:
    """A model that halves what it is given."""

    def __init__(self, samples: Samples, decodes: bool = True, corruptions: tuple[str, ...] = ()) -> None:
        self.module = SimpleNamespace(encode=None, parameters=lambda: [np.zeros(3)])
        if decodes:
            self.module.decode = None
        self.module.parameters = lambda: [SimpleNamespace(numel=lambda: 1234)]
        self.contract = SimpleNamespace(
            samples=samples.spec,
            sha256="e" * 64,
            latent_size=2,
            latent_shape=(2,),
            model={"kind": "autoencoder"},
            corruptions=[{"kind": kind} for kind in corruptions],
            versions={"python": "3.11", "torch": "2.13"},
            preprocessing_sha256="f" * 64,
            run_id="run",
            recipe="by_hand",
            initial_encoder=None,
            elsewhere=None,
        )

    def reconstruct(self, values: np.ndarray) -> np.ndarray:
        return self.contract.samples.as_input(values) / 2

    def corrupted(self, values: np.ndarray) -> np.ndarray:
        return self.contract.samples.as_input(values) * 0.9


def labels_of(names: tuple[str, ...] = ("cat", "dog"), rows: int = ROWS) -> list[str | None]:
    return [names[row % len(names)] for row in range(rows)]


def made(folder: Path, values: np.ndarray | None = None, labels: list[str | None] | None = None, **parts) -> Results:
    """Results with samples and latents, every fourth row in the test split, and these parts."""
    values = images(ROWS) if values is None else values
    splits = ["test" if row % 4 == 0 else "train" for row in range(len(values))]
    labels = labels if labels is not None else [None] * len(values)
    source = parts.pop("source", None) or ArraySource(values, labels, splits, parts.pop("ids", None))
    samples = write_store(folder / "store", source, IngestOptions(max_rejected_share=1, workers=1))
    model = ByHand(samples, parts.pop("decodes", True), parts.pop("corruptions", ()))
    table = samples.index[["sample_id", "split", "label"]].assign(seen=samples.index["split"] == "train")
    if hasattr(model.module, "decode"):
        table["reconstruction_error"] = np.linspace(0.1, 0.5, len(table), dtype=np.float32)
    vectors = np.random.default_rng(0).normal(size=(len(table), 2)).astype(np.float32)
    latents = LatentsInMemory(table, vectors, {"encoder_sha256": "e" * 64, "samples_id": samples.id})
    places = pd.DataFrame({"sample_id": table["sample_id"], "pca_x": vectors[:, 0], "pca_y": vectors[:, 1]})
    given = {name: part(latents) if callable(part) else part for name, part in parts.items()}
    return Results(samples, latents, places, model, **given)


def on_latents(**about):
    """A model on the latents, with these attributes."""
    return lambda latents: SimpleNamespace(encoded_by=EncodedBy.of(latents), **about)


def table_spec(columns: tuple[str, ...]) -> SampleSpec:
    return SampleSpec(
        shape=(len(columns),),
        dtype="float32",
        preprocessing={
            "columns": list(columns),
            "mean": [10.0] * len(columns),
            "standard_deviation": [2.0] * len(columns),
        },
    )


class TableSource(ArraySource):
    """Rows with named columns."""

    columns = ("height", NASTY)

    def spec(self) -> SampleSpec:
        return table_spec(self.columns)


def galleries(html: str) -> list[tuple[list[int], list[str]]]:
    """Rows and captions of each gallery in some HTML."""
    found = re.findall(r'data-samples="([^"]*)" data-captions="([^"]*)"', html)
    return [(json.loads(unescape(rows)), json.loads(unescape(captions))) for rows, captions in found]


def openers(html: str) -> list[tuple[dict[str, str], str]]:
    """What each button selects, and what stands on it."""
    found = re.findall(r'data-where="([^"]*)"[^>]*>([^<]*)<', html)
    return [(json.loads(unescape(where)), unescape(text)) for where, text in found]


def text_of(html: str) -> str:
    """What a person reads: without tags, blanks as single ones."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", " ", html)))
