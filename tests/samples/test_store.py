import json

import numpy as np
import pandas as pd
import pytest
from making import ArraySource, images

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import shards
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.source import Block, Reject
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.samples.store import Samples


def test_a_store_gives_back_what_it_was_given_and_counts_it(tmp_path):
    values = images(50)
    store = write_store(tmp_path, ArraySource(values, labels=["a", None] * 25))
    np.testing.assert_array_equal(store.read(), values)
    assert len(store) == store.manifest.read == 50
    assert store.index["label"].notna().sum() == 25
    assert list(store.index.columns) == ["sample_id", "split", "label", "source", "sha256", "shard", "row"]


def test_read_is_accepted_plus_rejected(tmp_path):
    class Broken(ArraySource):
        def blocks(self):
            (block,) = super().blocks()
            yield Block(block.values, block.ids, rejects=[Reject("x.png", "00", "truncated")])

    store = write_store(tmp_path, Broken(images(5)), IngestOptions(max_rejected_share=0.2))
    assert [getattr(store.manifest, name) for name in ("read", "accepted", "rejected")] == [6, 5, 1]
    assert store.rejects.to_dict("records") == [{"sample_id": "x.png", "sha256": "00", "reason": "truncated"}]


def test_shards_are_cut_at_their_size_and_read_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 7 * 30)
    values = images(50)
    store = write_store(tmp_path, ArraySource(values))
    assert [shard.rows for shard in store.manifest.shards] == [7] * 7 + [1]
    np.testing.assert_array_equal(np.concatenate(list(store.blocks(4))), values)
    np.testing.assert_array_equal(store.take(np.array([49, 0, 8])), values[[49, 0, 8]])


def test_blocks_in_any_memory_order_are_stored_alike(tmp_path):
    store = write_store(tmp_path, ArraySource(np.asfortranarray(images(20))))
    np.testing.assert_array_equal(store.read(), images(20))


def test_a_flipped_bit_in_a_shard_is_noticed(tmp_path):
    store = write_store(tmp_path, ArraySource(images(20)))
    path = tmp_path / store.manifest.shards[0].file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged .* ingest again"):
        store.read()


def test_an_empty_split_is_refused(tmp_path):
    store = write_store(tmp_path, ArraySource(images(5), splits=["train"] * 5))
    with pytest.raises(InputError, match="none of the 5 samples are in the test split"):
        store.positions("test")


def test_the_id_names_the_content(tmp_path):
    first = write_store(tmp_path / "a", ArraySource(images(20)))
    again = write_store(tmp_path / "b", ArraySource(images(20)))
    other = write_store(tmp_path / "c", ArraySource(images(20, seed=1)))
    assert first.id == again.id != other.id


def test_a_sample_keeps_its_split_when_the_data_grow(tmp_path):
    values = images(400)
    few = write_store(tmp_path / "a", ArraySource(values[100:200]))
    many = write_store(tmp_path / "b", ArraySource(values))
    assert list(few.index["split"]) == list(many.index["split"][100:200])
    tenth_held_out = LearnedFrom(validation_share=0.1)
    np.testing.assert_array_equal(few.seen(tenth_held_out), many.seen(tenth_held_out)[100:200])
    assert 0.12 < (many.index["split"] == "test").mean() < 0.28


def test_a_model_has_seen_the_train_split_less_about_the_validation_share(digits):
    train = (digits.index["split"] == "train").to_numpy()
    np.testing.assert_array_equal(digits.seen(LearnedFrom()), train)
    seen = digits.seen(LearnedFrom(validation_share=0.1))
    assert not (seen & ~train).any()
    assert 0.87 < seen.sum() / train.sum() < 0.93


def test_with_normal_labels_a_model_has_seen_only_samples_that_have_one(tmp_path):
    labels = ["a", "b", None, "a"] * 5
    store = write_store(tmp_path, ArraySource(images(20), labels=labels, splits=["train"] * 16 + ["test"] * 4))
    seen = store.seen(LearnedFrom(normal_labels=("a",)))
    np.testing.assert_array_equal(seen, [label == "a" and row < 16 for row, label in enumerate(labels)])
    assert [batch.schema.names for batch in store.identities(LearnedFrom())] == [
        ["sample_id", "split", "label", "seen"]
    ]


def test_a_writer_that_dies_before_the_manifest_leaves_the_old_store(tmp_path, monkeypatch):
    old = write_store(tmp_path, ArraySource(images(20)))

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "write_text", die)
    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path, ArraySource(images(30, seed=1)))
    monkeypatch.undo()
    left = Samples(tmp_path)
    assert left.id == old.id
    np.testing.assert_array_equal(left.read(), images(20))
    assert len(left.index) == 20


def test_a_new_store_removes_the_files_of_the_old_one(tmp_path):
    write_store(tmp_path, ArraySource(images(20)))
    write_store(tmp_path, ArraySource(images(30, seed=1)))
    left = sorted(path.name.split("-")[0] for path in tmp_path.glob("[!.]*"))
    assert left == ["index", "last_ingest.json", "manifest.json", "rejects", "shard"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (ArraySource(images(0)), "gave no samples"),
        (ArraySource(images(3), ids=["a", "b", "a"]), "more than once, first: a"),
    ],
)
def test_a_useless_source_is_refused_and_the_old_store_stays(tmp_path, source, message):
    old = write_store(tmp_path, ArraySource(images(20)))
    with pytest.raises(InputError, match=message):
        write_store(tmp_path, source)
    assert Samples(tmp_path).id == old.id


def test_a_folder_without_a_store_says_what_to_run(tmp_path):
    with pytest.raises(InputError, match="run ingest first"):
        Samples(tmp_path)


def test_the_index_is_plain_parquet_and_the_manifest_plain_json(tmp_path):
    write_store(tmp_path, ArraySource(images(20)))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert len(pd.read_parquet(tmp_path / manifest["index"])) == 20
    assert np.load(tmp_path / manifest["shards"][0]["file"]).shape == (20, 1, 6, 5)


def test_the_validation_share_follows_from_eight_digits_of_the_sha256(digits):
    digest = digits.index["sha256"].str[8:16].map(lambda text: int(text, 16) / 2**32).to_numpy()
    expected = (digits.index["split"] == "train").to_numpy() & (digest >= 0.3)
    np.testing.assert_array_equal(digits.seen(LearnedFrom(validation_share=0.3)), expected)


@pytest.mark.parametrize("change", [{"rows": 10**12}, {"shape": [1, 10**6, 10**6]}])
def test_a_manifest_that_declares_more_than_there_is_is_refused_before_there_is_memory_for_it(tmp_path, change):
    write_store(tmp_path, ArraySource(images(5)))
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    if "rows" in change:
        manifest["read"] = manifest["accepted"] = manifest["shards"][0]["rows"] = change["rows"]
    else:
        manifest["spec"]["shape"] = change["shape"]
    seals.write_text(tmp_path / "manifest.json", json.dumps(manifest))
    with pytest.raises(InputError, match=r"npy is short, .* samples: ingest again"):
        Samples(tmp_path)
