"""The same labels give the same classes, with the same counts, from every source."""

import csv
import math
import shutil
import tempfile
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ae_pipelines.samples.labels import LabelReader, label_name
from ae_pipelines.samples.sources import SourceChoice

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
ODD = st.sampled_from(
    ["1", "1.0", "01", "-1", "nan", "NaN", "None", "NULL", "no", "on", "1e3", "1_000", " cat", "cat", "#", ";;"]
)
NUMBERS = st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_infinity=False, allow_nan=False))
NOTHING = st.sampled_from([None, math.nan, "", " "])
WHOLE = st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=8)
FLOATS = st.lists(st.one_of(st.floats(allow_infinity=False), st.just(math.nan)), min_size=1, max_size=8)
LABELS = st.one_of(
    WHOLE,
    FLOATS,
    st.lists(TEXT, min_size=1, max_size=8),
    st.lists(st.one_of(NOTHING, NUMBERS, ODD, TEXT), min_size=1, max_size=8),
)


def png():
    file = BytesIO()
    Image.new("RGB", (2, 2)).save(file, "PNG")
    return file.getvalue()


PNG = png()


def as_text(label):
    """What people write into a file for a label."""
    return "" if label is None or label != label else str(label)


def typed(labels):
    """A numpy array of numbers, if all labels are numbers."""
    return np.array(labels) if all(isinstance(label, float) for label in labels) or _whole(labels) else None


def _whole(labels):
    return all(isinstance(label, int) for label in labels)


def array(folder, labels):
    found = typed(labels)
    found = np.array([as_text(label) for label in labels]) if found is None else found
    if not found.dtype.itemsize:  # nothing but empty text
        found = found.astype("<U1")
    np.save(folder / "x.npy", np.zeros((len(labels), 2), np.uint8))
    np.save(folder / "y.npy", found)
    return {"kind": "array", "path": folder / "x.npy", "layout": "NF", "labels": "y.npy"}


def npz(folder, labels):
    array(folder, labels)
    np.savez(folder / "x.npz", x=np.load(folder / "x.npy"), y=np.load(folder / "y.npy"))
    return {"kind": "array", "path": folder / "x.npz", "layout": "NF", "labels": "y"}


def column(labels):
    found = typed(labels)
    return pa.array([as_text(label) or None for label in labels], pa.string()) if found is None else pa.array(found)


def table_of(labels, **columns):
    return pa.table({**columns, "label": column(labels)})


def parquet(folder, labels):
    pq.write_table(table_of(labels, a=np.arange(len(labels)) + 0.5), folder / "x.parquet")
    return {"kind": "table", "path": folder / "x.parquet", "label": "label", "standardise": False}


def image_parquet(folder, labels):
    pq.write_table(table_of(labels, image=[PNG] * len(labels)), folder / "x.parquet")
    return {"kind": "image_parquet", "path": folder / "x.parquet"}


def csv_file(folder, labels):
    with (folder / "x.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["a", "label"], *([row + 0.5, as_text(label)] for row, label in enumerate(labels))])
    return {"kind": "table", "path": folder / "x.csv", "label": "label", "standardise": False}


def label_file(folder, labels):
    rows = [[f"{row}.png", as_text(label)] for row, label in enumerate(labels)]
    for name, _ in rows:
        (folder / name).write_bytes(PNG)
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["path", "label"], *rows])
    return {"kind": "image_folder", "path": folder, "labels": "file"}


def folders(folder, labels):
    """Labels that can be names of folders are; the others are left out, here as in what is expected."""
    for row, label in enumerate(labels):
        (folder / (as_text(label) or ".")).mkdir(exist_ok=True)
        (folder / (as_text(label) or ".") / f"{row}.png").write_bytes(PNG)
    return {"kind": "image_folder", "path": folder, "labels": "folder", "layout_of_folders": "classes"}


def can_be_a_folder(label):
    name = as_text(label)
    return not (set("/\\") & set(name) or name.startswith(".") or len(name.encode()) > 200 or name in ("Thumbs.db",))


WRITERS = [array, npz, parquet, image_parquet, csv_file, label_file, folders]


def classes(options):
    """Number of samples of each class; None: unlabelled."""
    reader, found = LabelReader(), Counter()
    for block in SourceChoice(**options).build().blocks():
        found.update(reader.names(block.labels or [None] * len(block.ids)))
    return found


@pytest.mark.parametrize("writer", WRITERS, ids=lambda writer: writer.__name__)
@settings(max_examples=150, deadline=None)
@given(labels=LABELS)
def test_labels_give_the_same_classes_from_every_source(writer, labels):
    if writer is folders:
        labels = [label for label in labels if can_be_a_folder(label)] or ["cat"]
    folder = Path(tempfile.mkdtemp())
    try:
        assert classes(writer(folder, labels)) == Counter(map(label_name, labels))
    finally:
        shutil.rmtree(folder)
