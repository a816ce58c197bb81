"""Labels that a person typed into the report, laid over those of any source."""

import csv
import logging

import numpy as np
import pytest
from making import ArraySource, EncodedPixels, images, pixels

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.words import Words
from ae_pipelines.samples.ingest import IngestOptions, write_store

ODD = [
    "a,b",
    'said "no"',
    "two\nlines",
    " blank before",
    "=1+1",
    "<script>alert(1)</script>",
    "\u202eright to left",
    "nul\0inside",
    "Ünïcode",
]


def saved(path, labels):
    """As the report saves it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows([("path", "label"), *labels.items()])
    return str(path)


def ingested(folder, source, *files):
    store = write_store(folder, source, IngestOptions(labels=list(files), workers=1))
    return dict(
        zip(
            store.index["sample_id"],
            store.index["label"].astype(object).where(store.index["label"].notna(), None),
            strict=True,
        )
    )


def test_given_labels_join_those_of_the_source_and_none_is_lost(tmp_path):
    source = ArraySource(images(4), labels=["cat", None, "dog", None])
    file = saved(tmp_path / "labels.csv", {"array/1": "bird", "array/2": "fox"})
    assert ingested(tmp_path / "store", source, file) == {
        "array/0": "cat",
        "array/1": "bird",
        "array/2": "fox",
        "array/3": None,
    }


def test_later_tables_count_more_and_an_empty_label_takes_none_away(tmp_path):
    source = ArraySource(images(2), labels=["cat", "cat"])
    first = saved(tmp_path / "1.csv", {"array/0": "dog", "array/1": "dog"})
    second = saved(tmp_path / "2.csv", {"array/0": "fox", "array/1": ""})
    assert ingested(tmp_path / "store", source, first, second) == {"array/0": "fox", "array/1": "dog"}


def test_ids_and_labels_of_any_text_come_through(tmp_path):
    ids = [f"{number} {text}" for number, text in enumerate(ODD)]
    source = ArraySource(images(len(ODD)), ids=ids)
    file = saved(tmp_path / "labels.csv", dict(zip(ids, ODD, strict=True)))
    assert ingested(tmp_path / "store", source, file) == {
        name: text.strip() for name, text in zip(ids, ODD, strict=True)
    }


def test_a_copy_does_not_contradict_the_label_that_was_given(tmp_path):
    contents = pixels(3) | {"00009": pixels(1)["00000"]}  # a copy of 00000, labelled "0" by its source
    file = saved(tmp_path / "labels.csv", {"00000": "bird"})
    assert ingested(tmp_path / "store", EncodedPixels(contents), file)["00000"] == "bird"


def test_a_table_that_names_no_sample_is_refused(tmp_path):
    file = saved(tmp_path / "labels.csv", {"other/1": "bird"})
    with pytest.raises(InputError, match=r"none of the 1 ids .*other/1.*array/0"):
        ingested(tmp_path / "store", ArraySource(images(2)), file)
    assert not (tmp_path / "store" / "manifest.json").exists()


def test_ids_that_are_not_there_are_told(tmp_path, caplog):
    file = saved(tmp_path / "labels.csv", {"array/1": "bird", "array/9": "bird"})
    with caplog.at_level(logging.INFO):
        ingested(tmp_path / "store", ArraySource(images(2)), file)
    assert "1 samples have their label" in caplog.text
    assert "1 ids in" in caplog.text


def test_one_path_may_be_typed_without_brackets_and_a_home_is_replaced(monkeypatch):
    monkeypatch.setenv("HOME", "/home/ada")
    assert IngestOptions(labels=Words("~/labels.csv")).labels == ["/home/ada/labels.csv"]
    assert IngestOptions(labels=[Words("a.csv"), Words("b.csv")]).labels == ["a.csv", "b.csv"]


def test_without_tables_a_store_is_as_before(tmp_path):
    source = ArraySource(np.arange(8, dtype=np.float32).reshape(4, 2))
    ids = [
        write_store(tmp_path / name, source, options).id
        for name, options in (("a", IngestOptions()), ("b", IngestOptions(labels=[])))
    ]
    assert ids[0] == ids[1]
