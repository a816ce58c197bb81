"""What is known about each sample."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import ArraySource, images

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import index
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.samples.store import Samples

LABELS = ["a", "b", None, "c", "a"] * 40
SPLITS = ["train"] * 150 + ["test"] * 50
LEARNED_FROM = LearnedFrom(validation_share=0.3, normal_labels=("a", "c"))


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "BATCH_ROWS", 64)
    return write_store(tmp_path, ArraySource(images(200), labels=LABELS, splits=SPLITS))


def test_labels_are_counted_and_numbered_in_their_order(store):
    codes, names = store.label_codes()
    assert names == ("a", "b", "c")
    assert [names[code] if code >= 0 else None for code in codes] == LABELS
    assert store.label_numbers(("c", "a")).tolist() == [{"c": 0, "a": 1}.get(label, -1) for label in LABELS]
    assert store.label_counts().to_dict() == {
        (split, name): sum(pair == (split, name) for pair in zip(SPLITS, LABELS, strict=True))
        for split in ("train", "test")
        for name in names
    }
    assert [store.counts()[name] for name in ("labelled", "train", "test")] == [160, 150, 50]
    assert (store.split_size("test"), store.positions("test").tolist()) == (50, [*range(150, 200)])
    with pytest.raises(InputError, match="none of the 200 samples are in the other split"):
        store.split_size("other")


def test_an_index_of_before_that_says_nothing_of_validation_is_read_alike(store):
    seen, table = store.seen(LEARNED_FROM), store.index
    assert 20 < seen.sum() < 80
    path = store.folder / store.manifest.index
    whole = pq.read_table(path)
    seals.remove(path)
    pq.write_table(whole.drop_columns(index.VALIDATION), path)
    before = Samples(store.folder)
    assert before.index.equals(table)
    np.testing.assert_array_equal(before.seen(LEARNED_FROM), seen)
    found = pa.Table.from_batches(before.identities(LEARNED_FROM))
    assert found["seen"].to_pylist() == seen.tolist()
    assert found["label"].to_pylist() == LABELS
