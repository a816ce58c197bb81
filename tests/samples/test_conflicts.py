"""The same content under several labels."""

import numpy as np
import pytest
from making import files_of_store, images
from PIL import Image

from ae_pipelines.samples import growing_table
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.sources import SourceChoice
from ae_pipelines.samples.store import Samples

PICTURES = images(6, (5, 6, 3))


def folder(root, labels_of):
    """Picture number → the class folders that it lies in; "" is the root."""
    for number, labels in labels_of.items():
        for label in labels:
            (root / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(PICTURES[number]).save(root / label / f"{number}.png")
    return SourceChoice(kind="image_folder", path=root, labels="folder").build()


def labels_of(store):
    labels = [label if isinstance(label, str) else None for label in store.index["label"]]
    return dict(zip(store.index["sample_id"], labels, strict=True))


def test_an_image_with_two_labels_is_kept_once_without_one_and_listed(tmp_path, caplog):
    source = folder(tmp_path / "in", {0: ["cat", "dog"], 1: ["cat"], 2: ["dog"], 3: ["cat", "cat/again"]})
    store = write_store(tmp_path / "store", source)
    assert labels_of(store) == {"cat/0.png": None, "cat/1.png": "cat", "cat/3.png": "cat", "dog/2.png": "dog"}
    assert store.counts()["conflicting"] == 1
    assert store.conflicts[["sample_id", "label"]].values.tolist() == [["cat/0.png", "cat"], ["dog/0.png", "dog"]]
    assert store.conflicts["sha256"].nunique() == 1
    assert "contents with more than one label: 1, such as: cat/0.png is 'cat', dog/0.png is 'dog'" in caplog.text
    assert store.label_counts().sum() == 3


def test_a_copy_without_a_label_takes_that_of_the_other(tmp_path):
    source = folder(tmp_path / "in", {0: ["", "cat"], 1: ["cat"], 2: ["dog"]})
    store = write_store(tmp_path / "store", source)
    assert labels_of(store) == {"0.png": "cat", "cat/1.png": "cat", "dog/2.png": "dog"}
    assert store.counts()["conflicting"] == 0
    assert len(store.conflicts) == 0


def test_what_was_unlabelled_already_is_told_to_be_kept_once(tmp_path, caplog):
    store = write_store(tmp_path / "store", folder(tmp_path / "in", {0: ["", "cat", "dog"], 1: ["cat"], 2: ["dog"]}))
    assert labels_of(store)["0.png"] is None
    assert "cat/0.png is 'cat', dog/0.png is 'dog'; each is kept once, without a label" in caplog.text


def test_copies_in_another_split_are_told(tmp_path, caplog):
    of = {0: ["train/cat", "test/cat"], 1: ["train/dog", "test/any"], 2: ["train/cat", "train/dog"], 3: ["test/dog"]}
    store = write_store(tmp_path / "store", folder(tmp_path / "in", of))
    assert store.index.set_index("sample_id")["split"].to_dict() == {
        **{"test/any/1.png": "test", "test/cat/0.png": "test"},
        **{"test/dog/3.png": "test", "train/cat/2.png": "train"},
    }
    assert (
        "samples whose content is in train and in test: 2; each is kept once, where it comes first: "
        "2 in test (such as test/cat/0.png, also train/cat/0.png)"
    ) in caplog.text


@pytest.mark.parametrize("of", [{0: ["train/cat", "train/dog"], 1: ["test/cat"]}, {0: ["cat", "dog"], 1: ["cat"]}])
def test_copies_in_the_same_split_are_not_told_to_be_in_two(tmp_path, caplog, of):
    write_store(tmp_path / "store", folder(tmp_path / "in", of))
    assert "in train and in test" not in caplog.text
    assert "contents with more than one label" in caplog.text


def test_a_settled_store_is_the_same_each_time_and_loses_its_list_with_the_conflict(tmp_path, monkeypatch):
    source = folder(tmp_path / "in", {0: ["cat", "dog"], 1: ["cat"], 2: ["dog"]})
    monkeypatch.setattr(growing_table, "BATCH_ROWS", 2)
    first = write_store(tmp_path / "store", source)
    before = files_of_store(tmp_path / "store")
    assert write_store(tmp_path / "store", source).id == first.id
    assert files_of_store(tmp_path / "store") == before
    (tmp_path / "in/dog/0.png").unlink()
    after = write_store(tmp_path / "store", source)
    assert labels_of(after)["cat/0.png"] == "cat"
    assert after.id != first.id
    assert not list((tmp_path / "store").glob("conflicts*"))
    assert len(Samples(tmp_path / "store").conflicts) == 0


def test_equal_rows_of_an_array_keep_their_labels_but_are_listed(tmp_path, caplog):
    values = np.random.default_rng(0).normal(size=(60, 3))
    values[1], values[3] = values[0], values[2]
    labels = np.array(["a", "b", "c", "c", "", *["a", "b"] * 27, "a"])
    labels[10], values[10] = "", values[0]
    np.savez(tmp_path / "x.npz", values=values, labels=labels)
    source = SourceChoice(kind="array", path=tmp_path / "x.npz", layout="NF", labels="labels").build()
    store = write_store(tmp_path / "store", source, IngestOptions(workers=1))
    assert store.index["label"].fillna("").tolist() == labels.tolist()
    assert sorted(store.conflicts["sample_id"]) == ["x/00", "x/01"]
    assert "each keeps its label" in caplog.text


@pytest.mark.parametrize("labels", [{0: ["cat"], 1: ["dog"]}, {0: [""], 1: [""]}])
def test_without_conflicts_there_is_no_list(tmp_path, labels):
    store = write_store(tmp_path / "store", folder(tmp_path / "in", labels))
    assert store.manifest.conflicts is None
    assert list(store.conflicts.columns) == ["sample_id", "sha256", "label"]
