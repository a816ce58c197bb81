import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import PROJECT, ArraySource, EncodedPixels, decode_pixels, images, pixels
from making import files_of_store as files

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import first_places, shards
from ae_pipelines.samples.decoding import DUPLICATE
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.key_filter import KeyFilter
from ae_pipelines.samples.store import Manifest, Samples, Shard
from ae_pipelines.samples.store_writer import REFUSED

ANY = IngestOptions(max_rejected_share=1, workers=1)


def done(folder):
    report = json.loads((folder / "last_ingest.json").read_text())
    return report["decoded"], report["reused"]


# -- decoding -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2])
def test_samples_come_in_the_sources_order_whoever_decodes_them(tmp_path, workers):
    contents = pixels(700)
    store = write_store(tmp_path, EncodedPixels(contents), IngestOptions(workers=workers))
    assert store.index["sample_id"].tolist() == sorted(contents)
    np.testing.assert_array_equal(store.read(), np.stack([decode_pixels(contents[name]) for name in sorted(contents)]))
    assert store.index["label"].tolist() == ["0"] * 700


def test_what_is_left_out_is_listed_with_its_reason_and_counts_add_up(tmp_path):
    contents = pixels(40) | {"00007": b"cut short", "00031": b"", "00040": pixels(1)["00000"]}
    store = write_store(tmp_path, EncodedPixels(contents), ANY)
    assert store.rejects.set_index("sample_id")["reason"].to_dict() == {
        "00007": "cut short",
        "00031": "empty file",
        "00040": DUPLICATE,
    }
    manifest = store.manifest
    assert (manifest.read, manifest.accepted, manifest.rejected, manifest.duplicates) == (41, 38, 3, 1)
    assert "00007" not in store.index["sample_id"].tolist()
    twin = store.rejects.set_index("sample_id")["sha256"]["00040"]
    assert store.index.set_index("sha256")["sample_id"][twin] == "00000"


def test_too_many_rejects_fail_the_run_with_the_commonest_reasons_and_leave_the_old_store(tmp_path):
    old = write_store(tmp_path, EncodedPixels(pixels(20)))
    reasons = {f"bad{n:03d}": f"fault {n % 12:02d}".encode() for n in range(13)}
    with pytest.raises(
        InputError, match=r"13 of 213 read cannot be used \(6.1%, at most 1.0% may be\): 2 x fault 00"
    ) as error:
        write_store(tmp_path, EncodedPixels(pixels(200, seed=1) | reasons))
    assert str(error.value).count(" x fault") == 10
    assert Samples(tmp_path).id == old.id
    assert (tmp_path / REFUSED).exists()
    write_store(tmp_path, EncodedPixels(pixels(200, seed=1) | reasons), IngestOptions(max_rejected_share=0.07))
    assert not (tmp_path / REFUSED).exists()


def test_duplicates_do_not_count_as_unusable(tmp_path):
    twins = {f"x{name}": content for name, content in pixels(20).items()}
    store = write_store(tmp_path, EncodedPixels(pixels(20) | twins))
    assert (store.manifest.accepted, store.manifest.duplicates) == (20, 20)


def test_a_source_without_samples_is_refused(tmp_path):
    with pytest.raises(InputError, match="gave no samples: nothing was read"):
        write_store(tmp_path, ArraySource(images(0)))
    with pytest.raises(InputError, match="1 of 1 read cannot be used"):
        write_store(tmp_path, EncodedPixels({"a": b"bad"}), ANY)


def test_a_file_that_cannot_be_read_fails_the_run(tmp_path):
    source = EncodedPixels({f"{n:03d}": tmp_path / "gone" for n in range(300)})
    with pytest.raises(InputError, match="cannot read .*gone.*make it readable, or move it away"):
        write_store(tmp_path / "store", source, IngestOptions(workers=2))


# -- again, with more or less ---------------------------------------------------------------------------------


def test_a_second_ingest_decodes_only_what_is_new_and_gives_the_store_of_a_first_one(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 7 * 30)
    first = write_store(tmp_path / "a", EncodedPixels(pixels(50)))
    grown = {f"new name/{name}": content for name, content in pixels(50).items()} | pixels(60, seed=1)
    second = write_store(tmp_path / "a", EncodedPixels(grown))
    assert done(tmp_path / "a") == (60, 50)
    assert first.id != second.id
    write_store(tmp_path / "b", EncodedPixels(grown))
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_what_memory_does_not_hold_makes_the_same_store(tmp_path, monkeypatch):
    contents = pixels(300) | {"00300": pixels(9)["00007"], "00301": b"cut short", "00302": b"cut short"}
    small = dict(itertools.islice(contents.items(), 200))
    for name in ("in memory", "in files"):
        write_store(tmp_path / name, EncodedPixels(small), ANY)
        write_store(tmp_path / name, EncodedPixels(contents), ANY)
        monkeypatch.setattr(first_places, "RECENT", 20)
    assert files(tmp_path / "in files") == files(tmp_path / "in memory")
    assert done(tmp_path / "in files") == (100, 200)


def test_what_a_worker_takes_for_known_by_mistake_is_decoded(tmp_path, monkeypatch):
    contents = pixels(20) | {"00020": b"cut short", "00021": b"cut short", "00022": pixels(1)["00000"]}
    expected = write_store(tmp_path / "right", EncodedPixels(contents), ANY)
    monkeypatch.setattr(KeyFilter, "may_hold_one", lambda self, key: True)
    found = write_store(tmp_path / "wrong", EncodedPixels(contents), ANY)
    assert found.id == expected.id
    assert found.rejects.equals(expected.rejects)
    assert done(tmp_path / "wrong") == done(tmp_path / "right") == (20, 0)


def test_what_is_gone_from_the_source_is_reported(tmp_path, caplog):
    write_store(tmp_path, EncodedPixels(pixels(50)))
    store = write_store(tmp_path, EncodedPixels(dict(list(pixels(50).items())[3:])))
    assert "3 samples are gone from the source since the last ingest, first: 00000, 00001, 00002" in caplog.text
    assert store.counts()["removed"] == 3
    assert len(store) == 47


def test_other_preprocessing_decodes_everything_again(tmp_path):
    write_store(tmp_path, EncodedPixels(pixels(50)))
    write_store(tmp_path, EncodedPixels(pixels(50), {"size": 2}))
    assert done(tmp_path) == (50, 0)


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: flip(next(folder.glob("shard-*")), -1),
        lambda folder: flip(next(folder.glob("shard-*")), 12),
        lambda folder: flip(next(folder.glob("shard-*")), next(folder.glob("shard-*")).read_bytes().index(b"6, 5")),
        lambda folder: next(folder.glob("shard-*")).write_bytes(b""),
        lambda folder: next(folder.glob("shard-*")).unlink(),
        lambda folder: next(folder.glob("known-*")).write_bytes(b""),
        lambda folder: flip(folder / "manifest.json", 0),
    ],
    ids=["a value", "the header", "the shape", "no content", "no shard", "no digests", "the manifest"],
)
def test_a_damaged_store_is_refused_and_made_whole_by_ingesting_again(tmp_path, damage):
    write_store(tmp_path, EncodedPixels(pixels(50)))
    before = files(tmp_path)
    damage(tmp_path)
    if all(path.stat().st_size for path in tmp_path.glob("known-*")):
        with pytest.raises(InputError, match="ingest again"):
            Samples(tmp_path).verify()
    write_store(tmp_path, EncodedPixels(pixels(50)))
    assert files(tmp_path) == before


def test_a_damaged_index_is_refused_and_made_whole_by_ingesting_again(tmp_path):
    store = write_store(tmp_path, EncodedPixels(pixels(50)))
    before = files(tmp_path)
    flip(tmp_path / store.manifest.index, 40)
    with pytest.raises(InputError, match="index-.* is damaged .*ingest again"):
        _ = Samples(tmp_path).index
    write_store(tmp_path, EncodedPixels(pixels(50)))
    assert files(tmp_path) == before


def test_equal_bytes_of_another_shape_do_not_touch_the_old_store(tmp_path):
    values = images(50)
    write_store(tmp_path, ArraySource(values))
    with pytest.raises(InputError, match="more than once"):
        write_store(tmp_path, ArraySource(values.reshape(50, 30), ids=["same"] * 50))
    np.testing.assert_array_equal(Samples(tmp_path).read(), values)


def test_files_of_others_in_the_stores_folder_are_left_alone(tmp_path):
    (tmp_path / "my-notes").mkdir()
    (tmp_path / "my-notes.txt").write_text("mine")
    write_store(tmp_path, EncodedPixels(pixels(5)))
    assert (tmp_path / "my-notes.txt").read_text() == "mine"


def test_a_refused_ingest_is_not_decoded_again(tmp_path):
    contents = pixels(50) | {"bad": b"bad"}
    with pytest.raises(InputError):
        write_store(tmp_path, EncodedPixels(contents))
    write_store(tmp_path, EncodedPixels(pixels(50)))
    assert done(tmp_path) == (0, 50)


def test_a_second_ingest_at_the_same_time_is_refused(tmp_path):
    with filelock.FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="another run is ingesting into"):
        write_store(tmp_path, EncodedPixels(pixels(5)))


# -- killed ---------------------------------------------------------------------------------------------------

INGEST = f"""
import itertools, sys
from pathlib import Path
sys.path.insert(0, {str(PROJECT / "tests")!r})
import making
from ae_pipelines.samples import first_places, shards
from ae_pipelines.samples.ingest import IngestOptions, write_store
shards.SHARD_BYTES = 50 * 30
class Halting(making.EncodedPixels):
    def blocks(self):
        yield from itertools.islice(super().blocks(), int(sys.argv[2]))
        sys.stdin.read()
if __name__ == "__main__":
    contents = making.pixels(3000) | {{"bad": b"bad"}}
    write_store(Path(sys.argv[1]), Halting(contents), IngestOptions(workers=int(sys.argv[3])))
"""
BLOCKS = 31


def start(tmp_path, folder, blocks=BLOCKS, workers=1):
    """A process that ingests so many blocks, and then waits until its stdin is closed."""
    (tmp_path / "ingesting.py").write_text(INGEST)
    command = [sys.executable, str(tmp_path / "ingesting.py"), str(tmp_path / folder), str(blocks), str(workers)]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def finish(process):
    process.communicate()
    assert process.returncode == 0


def exit_at(step):
    """Let this process die before its `step`-th change of a name or flush of a file."""
    steps = itertools.count()

    def dying(function):
        def call(*arguments, **options):
            if next(steps) == step:
                os._exit(1)
            return function(*arguments, **options)

        return call

    Path.replace, Path.unlink, os.fsync = dying(Path.replace), dying(Path.unlink), dying(os.fsync)


def test_killed_before_any_step_on_disk_the_store_is_whole_and_the_next_run_finishes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_BYTES", 20 * 30)
    old, new = pixels(30, seed=1), pixels(50) | {"bad": b"bad"}
    options = IngestOptions(max_rejected_share=0.1)
    write_store(tmp_path / "old", EncodedPixels(old))
    write_store(tmp_path / "new", EncodedPixels(new), options)
    wholes = [np.sort(Samples(tmp_path / name).read(), axis=0).tobytes() for name in ("old", "new")]
    for step in itertools.count():
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "old", folder)
        child = os.fork()
        if not child:
            exit_at(step)
            write_store(folder, EncodedPixels(new), options)
            os._exit(0)
        finished = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert np.sort(Samples(folder).read(), axis=0).tobytes() in wholes
        write_store(folder, EncodedPixels(new), options)
        assert files(folder) == files(tmp_path / "new")
        assert {path.name for path in folder.glob(".*") if not path.name.endswith(".seal")} == {".lock"}
        if finished:
            break
    assert step > 15


def test_killed_while_workers_decode_the_next_run_takes_up_what_was_decoded(tmp_path):
    finish(start(tmp_path, "undisturbed"))
    for blocks in (8, 16, 24, 30):
        already = len(list((tmp_path / "killed").glob("shard-*")))
        process = start(tmp_path, "killed", blocks, workers=2)
        while len(list((tmp_path / "killed").glob("shard-*"))) < already + 3:
            assert process.poll() is None
            time.sleep(0.01)
        process.kill()
        process.communicate()
    finish(start(tmp_path, "killed"))
    assert done(tmp_path / "killed")[1]
    assert files(tmp_path / "killed") == files(tmp_path / "undisturbed")


# -- the manifest ---------------------------------------------------------------------------------------------

VALID = Manifest(
    id="a",
    source="s",
    spec={"shape": (1, 2, 2), "dtype": "uint8"},
    read=3,
    accepted=2,
    rejected=1,
    shards=[Shard(file="shard-a.npy", rows=2, sha256="0" * 64)],
    index="index-a.parquet",
    rejects="rejects-a.parquet",
).model_dump_json()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*json.loads(VALID)]), inner),
)


@settings(max_examples=500, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=100),
        JSON.map(lambda value: json.dumps(value).encode()),
        st.tuples(st.sampled_from([*json.loads(VALID)]), JSON).map(
            lambda change: json.dumps(json.loads(VALID) | {change[0]: change[1]}).encode()
        ),
        st.tuples(st.integers(0, len(VALID) - 1), st.characters()).map(
            lambda change: (VALID[: change[0]] + change[1] + VALID[change[0] + 1 :]).encode("utf-8", "replace")
        ),
        st.integers(0, 3000).map(lambda depth: b"[" * depth),
    )
)
def test_whatever_a_manifest_holds_it_is_read_or_refused(tmp_path, content):
    (tmp_path / "manifest.json").write_bytes(content)
    try:
        manifest = Samples(tmp_path).manifest
    except InputError:
        return
    assert manifest.read == manifest.accepted + manifest.rejected
    assert all(Path(shard.file).name == shard.file for shard in manifest.shards)


def test_a_manifest_cannot_name_files_outside_its_folder(tmp_path):
    (tmp_path / "manifest.json").write_text(VALID.replace("shard-a.npy", "../shard-a.npy"))
    with pytest.raises(InputError, match="manifest.json is damaged"):
        Samples(tmp_path)
