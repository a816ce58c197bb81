"""Every kind of data a user may bring, into latents and classes; arrays through the whole main job. What other tests
take through it: images from a folder, tables, and images of 12 bits."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from sklearn.datasets import load_digits, load_wine

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import read_latents
from ae_pipelines.samples.store import Samples

DIGITS = load_digits(n_class=3)
IMAGES = (DIGITS.images * 15).astype(np.uint8)
QUICK = {"training": {"epochs": 2, "threads": 1}, "loader": {"batch_size": 32}}
DENSE, CONV = {"name": "dense", **QUICK}, {"name": "conv", **QUICK}
NARROW = {"name": "dense", "model": {"latent_size": 4}, **QUICK}
TO_CLASSES = ("ingest", "fit", "embed", "classify")


def encoded(image, kind):
    buffer = io.BytesIO()
    Image.fromarray(image).resize((12, 10)).save(buffer, kind)
    return buffer.getvalue()


def folder(path):
    for row, (image, label) in enumerate(zip(IMAGES, DIGITS.target, strict=True)):
        kind = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")[row % 6]
        (path / str(label)).mkdir(parents=True, exist_ok=True)
        (path / str(label) / f"{row}.{kind.lower()}").write_bytes(encoded(image, kind))
    (path / "0" / "broken.png").write_bytes(encoded(IMAGES[0], "PNG")[:50])
    return {"name": "image_folder", "path": str(path), "size": [8, 8], "resize": "pad", "labels": "folder"}


def parquet(path):
    images = [{"bytes": encoded(image, "PNG"), "path": None} for image in IMAGES]
    images[7] = None
    table = {"image": pa.array(images, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))}
    pq.write_table(pa.table(table | {"label": DIGITS.target}), path)
    return {"name": "image_parquet", "path": str(path)}


def array(path):
    values = np.stack([IMAGES.astype(np.float32)] * 2, axis=-1)
    values[3, 4, 5, 1] = np.nan
    np.savez(path, values=values, labels=DIGITS.target)
    return {"name": "array", "path": f"{path}.npz", "layout": "NHWC", "labels": "labels"}


def table(folder):
    path = folder.with_suffix(".csv")
    wine = load_wine(as_frame=True).frame
    wine.loc[5, "ash"] = np.inf
    wine["constant"] = 1
    wine.to_csv(path, index=False)
    return {"name": "table", "path": str(path), "label": "target"}


@pytest.mark.parametrize(
    ("make", "recipe", "accepted", "stages"),
    [
        (folder, CONV, 537, TO_CLASSES),
        (parquet, DENSE, 536, TO_CLASSES),
        (array, CONV, 536, ("train",)),
        (table, NARROW, 177, TO_CLASSES),
    ],
    ids=["image_folder", "image_parquet", "array", "table"],
)
def test_the_main_job_runs_on_any_source_and_counts_add_up(run, tmp_path, make, recipe, accepted, stages):
    data = run(*stages, source=make(tmp_path / "raw"), recipe=recipe)
    counts = json.loads((data / "08_reporting/ingest_metrics.json").read_text())
    assert (counts["read"], counts["accepted"], counts["rejected"]) == (accepted + 1, accepted, 1)
    assert len(pd.read_parquet(data / "02_intermediate/rejects.parquet")) == 1
    assert (data / "08_reporting/rejects_summary.png").stat().st_size > 5000
    found = read_latents(data / "07_model_output/latents.parquet")
    assert found.column("sample_id").tolist() == Samples(data / "02_intermediate/samples").index["sample_id"].tolist()
    assert found.labelled.all()


def test_samples_above_the_memory_budget_run_through_the_same_pipelines(run):
    recipe = {"name": "dense", "loader": {"memory_budget": "50KB"}, "training": {"epochs": 2, "threads": 1}}
    data = run("ingest", "fit", "embed", "cluster", "detect", recipe=recipe)
    assert len(read_latents(data / "07_model_output/latents.parquet")) == 1797


def test_a_conv_net_for_a_table_is_refused_before_training(run, tmp_path):
    with pytest.raises(InputError, match=r"conv nets take images .channels, height, width., given samples of shape"):
        run("train", source=table(tmp_path / "raw"), recipe=CONV)


@pytest.mark.slow
def test_cifar_10_is_taken_in_whole(run, test_data):
    data = run("ingest", source={"name": "image_parquet", "path": str(test_data / "cifar10")})
    store = Samples(data / "02_intermediate/samples")
    assert store.index["split"].value_counts().to_dict() == {"train": 50_000, "test": 10_000}
    assert (store.manifest.read, store.manifest.rejected) == (60_000, 0)
    assert store.index["label"].nunique() == 10
