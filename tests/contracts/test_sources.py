"""What every registered source must do, on a small example of it.

A source, or its tests in `tests/samples/sources/test_<its file>.py`, bring the example: `example(folder, first, last)`
writes these samples of some row of them that is always the same into the folder, best with one that cannot be used
among the first, and gives the source. A source that can be made without options is its own example.
"""

import importlib
import importlib.util
import json
import os
import pickle
import re
import shutil
import signal
import sys
from contextlib import suppress

import numpy as np
import pytest
from making import files_of_store

from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.samples import shards
from ae_pipelines.samples.decode_worker import bytes_of
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.labels import label_name
from ae_pipelines.samples.shards import ShardWriter
from ae_pipelines.samples.source import EncodedBlock, EncodedSource, ScaledSource
from ae_pipelines.samples.sources import SOURCES
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.store import Samples

FEW, MORE = (0, 60), (12, 102)
ANY = IngestOptions(max_rejected_share=1, workers=1)
BLOCKS = {"BLOCK_ROWS": 7, "ROWS_PER_BLOCK": 7, "FILES_PER_BLOCK": 7, "BLOCK_BYTES": 100}
"""Constants of modules that say how large blocks are, and what makes them small."""


def needs_options(kind):
    """Some that must be given."""
    return any(option.is_required() for option in SOURCES.options(kind).model_fields.values())


def makers_with(attribute):
    """The kinds whose samples have yet to be decoded, say."""
    return [kind for kind in SOURCES.kinds() if hasattr(SOURCES.maker(kind), attribute)]


ON_DISK = [kind for kind in SOURCES.kinds() if needs_options(kind)]
ENCODED = makers_with("decode")
SCALED = makers_with("like")


@pytest.fixture(params=SOURCES.kinds())
def kind(request):
    return request.param


@pytest.fixture
def raw(tmp_path):
    """Where an example lies."""
    (tmp_path / "raw").mkdir()
    return tmp_path / "raw"


@pytest.fixture
def source(kind, raw):
    return example(kind, raw)


@pytest.fixture(params=ENCODED)
def encoded(request, raw):
    source = example(request.param, raw)
    assert isinstance(source, EncodedSource)
    return source


def example(kind, folder, which=FEW):
    maker = SOURCES.maker(kind)
    if not needs_options(kind):
        return maker()
    tests = f"test_{maker.__module__.rpartition('.')[2]}"
    owner = importlib.import_module(tests) if importlib.util.find_spec(tests) else maker
    found = getattr(owner, "example", None)
    if not found:
        pytest.fail(
            f"source {kind!r} has no example: give its class, or tests/samples/sources/{tests}.py, a function "
            "example(folder, first, last) that writes these samples into the folder and gives the source"
        )
    return found(folder, *which)


def rows(source):
    """(id, label, split, sha256 or None, content) of each sample, and its rejects."""
    found, rejects = [], []
    for block in source.blocks():
        nothing = [None] * len(block.ids)
        if isinstance(block, EncodedBlock):
            contents, sha256 = [bytes_of(content) for content in block.contents], nothing
        else:
            contents, sha256 = [values.tobytes() for values in block.values], block.sha256 or nothing
        found += zip(block.ids, block.labels or nothing, block.splits or nothing, sha256, contents, strict=True)
        rejects += block.rejects
    return found, rejects


def decoded(source):
    """The samples (n, *shape)."""
    values = []
    for block in source.blocks():
        if isinstance(block, EncodedBlock):
            for content in block.contents:
                with suppress(Unusable):
                    values.append(source.decode(bytes_of(content)))
        else:
            values += list(block.values)
    return np.stack(values)


def split_of(store):
    """By content; the same content must not be in both."""
    pairs = set(zip(store.index["sha256"], store.index["split"], strict=True))
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


# -- what it gives ---------------------------------------------------------------------------------------------


def test_the_same_samples_come_in_the_same_order_each_time(kind, source, raw):
    first = rows(source)
    assert len(first[0]) >= 40
    assert rows(source) == first
    assert rows(example(kind, raw)) == first
    assert source.spec() == example(kind, raw).spec()


def test_ids_are_unique_and_the_count_is_that_of_samples_and_rejects(source):
    found, rejects = rows(source)
    ids = [row[0] for row in found] + [reject.id for reject in rejects]
    assert len(set(ids)) == len(ids)
    assert source.count() in (None, len(ids))


def test_every_sample_is_as_the_spec_says(source):
    spec = source.spec()
    spec.refuse_misfit(decoded(source), "source")
    assert SampleSpec.model_validate_json(spec.model_dump_json()) == spec
    assert source.name.isprintable()


def test_labels_name_classes_and_splits_have_a_name(source):
    found, _ = rows(source)
    names = [label_name(label) for _, label, *_ in found]
    assert len(set(names)) < len(names) / 2, "a class has several samples"
    assert {split for _, _, split, *_ in found} <= {"train", "test"} or {row[2] for row in found} == {None}


@pytest.mark.parametrize("kind", SCALED)
def test_a_source_that_knows_a_scale_keeps_its_own(source):
    assert isinstance(source, ScaledSource)
    again = source.like(source.spec())
    assert again.spec() == source.spec()
    assert rows(again) == rows(source)


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_source_that_is_gone_is_refused_with_its_path(kind, raw):
    source = example(kind, raw)
    shutil.rmtree(raw)
    with pytest.raises(InputError, match=re.escape(str(raw))):
        source.spec()


# -- what becomes of it ----------------------------------------------------------------------------------------


def test_what_cannot_be_used_is_listed_with_id_reason_and_content(source, tmp_path):
    store = write_store(tmp_path / "store", source, ANY)
    manifest, rejects = store.manifest, store.rejects
    assert (manifest.accepted, manifest.rejected) == (len(store.index), len(rejects))
    assert source.count() in (None, manifest.read)
    assert rejects["reason"].str.len().gt(3).all()
    assert rejects["sha256"].str.fullmatch("[0-9a-f]{64}").all()
    assert not set(rejects["sample_id"]) & set(store.index["sample_id"])


def test_a_split_follows_from_content_where_the_source_has_none(source, tmp_path):
    before = split_of(write_store(tmp_path / "few", source, ANY))
    if {split for _, _, split, *_ in rows(source)[0]} == {None}:
        assert before == {sha: split_by_content(sha) for sha in before}
    assert set(before.values()) == {"train", "test"}


@pytest.mark.parametrize("kind", ON_DISK)
def test_the_same_content_is_in_the_same_split_when_others_come_and_go(kind, source, tmp_path):
    before = split_of(write_store(tmp_path / "few", source, ANY))
    (tmp_path / "grown").mkdir()
    after = split_of(write_store(tmp_path / "more", example(kind, tmp_path / "grown", MORE), ANY))
    still_there = before.keys() & after.keys()
    assert 30 < len(still_there) < len(after)
    assert {sha: after[sha] for sha in still_there} == {sha: before[sha] for sha in still_there}


def test_blocks_of_another_size_hold_the_same_samples(kind, source, raw, tmp_path, monkeypatch):
    large = write_store(tmp_path / "large", source, ANY)
    for name, module in list(sys.modules.items()):
        for constant in BLOCKS.keys() & vars(module).keys() if name.startswith("ae_pipelines.samples.") else ():
            monkeypatch.setattr(module, constant, BLOCKS[constant])
    small = write_store(tmp_path / "small", example(kind, raw), ANY)
    columns = ["sample_id", "split", "label", "sha256"]
    assert small.index[columns].equals(large.index[columns])
    np.testing.assert_allclose(small.read(), large.read(), rtol=1e-5, atol=1e-6)  # a mean is summed block by block
    by_id = [store.rejects.sort_values("sample_id", ignore_index=True) for store in (small, large)]
    assert by_id[0].equals(by_id[1])


def killed_after(number, folder, source):
    """Ingest in another process, which SIGKILL ends as soon as so many shards are whole."""
    child = os.fork()
    if not child:
        try:
            end = ShardWriter._end

            def end_or_die(self):
                end(self)
                if len(self.written) == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            ShardWriter._end = end_or_die
            write_store(folder, source, ANY)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_in_the_middle_and_taken_up_the_store_is_that_of_one_go(source, tmp_path, monkeypatch):
    rows_per_shard = max(2, len(decoded(source)) // 5)
    monkeypatch.setattr(shards, "SHARD_BYTES", rows_per_shard * source.spec().sample_bytes)
    whole = write_store(tmp_path / "whole", source, ANY)
    assert len(whole.manifest.shards) > 3
    for number in (1, 3):
        killed_after(number, tmp_path / "killed", source)
        with pytest.raises(InputError):
            _ = Samples(tmp_path / "killed").manifest
    store = write_store(tmp_path / "killed", source, ANY)
    assert store.id == whole.id
    assert files_of_store(tmp_path / "killed") == files_of_store(tmp_path / "whole")
    if isinstance(source, EncodedSource):
        report = json.loads((tmp_path / "killed/last_ingest.json").read_text())
        assert (report["decoded"], report["reused"]) == (len(store) - 3 * rows_per_shard, 3 * rows_per_shard)


# -- encoded samples -------------------------------------------------------------------------------------------


def test_nothing_is_decoded_twice(encoded, tmp_path):
    folder = tmp_path / "store"
    first = write_store(folder, encoded, ANY)
    before = files_of_store(folder)
    assert write_store(folder, encoded, ANY).id == first.id
    report = json.loads((folder / "last_ingest.json").read_text())
    assert (report["decoded"], report["reused"]) == (0, len(first))
    assert files_of_store(folder) == before


def test_what_decodes_can_be_given_to_a_worker(encoded):
    decode = pickle.loads(pickle.dumps(encoded.decode))
    content = rows(encoded)[0][0][-1]
    np.testing.assert_array_equal(decode(content), encoded.decode(content))
    assert encoded.decoding() == json.loads(json.dumps(encoded.decoding()))
