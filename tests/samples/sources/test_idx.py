import gzip
import hashlib
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import IMAGES, LABELS, idx, images, mnist_folder

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.idx import IdxFile, IdxFolder
from ae_pipelines.samples.splits import split_by_content


def example(folder, first, last):
    pixels = images(last + 10, (5, 4))
    files = {"t10k": pixels[:10], "train": pixels[10 + first :]}
    contents = {f"{prefix}_images_idx3": gzip.compress(idx(part)) for prefix, part in files.items()}
    labels = {f"{prefix}_labels_idx1": gzip.compress(idx(part[:, 0, 0] % 10)) for prefix, part in files.items()}
    return mnist_folder(folder, **contents, **labels)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_idx_file_is_read_as_it_was_written(tmp_path, zipped):
    content = idx(IMAGES)
    (tmp_path / "a").write_bytes(gzip.compress(content) if zipped else content)
    np.testing.assert_array_equal(IdxFile(tmp_path / "a").read(), IMAGES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG....", "starts with 89504e47, expected 0000 08"),
        (idx(IMAGES, kind=0x0D), "not an IDX file of unsigned bytes"),
        (idx(IMAGES)[:9], "ends within its header"),
        (idx(IMAGES)[:-1], "short payload, 31 of 32 images"),
        (idx(IMAGES) + b"x", "has data after its 32 declared images"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**10, 2**12), "more than the .* allowed"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 1, 2**16, 2**12), "declares samples of 268,435,456 bytes, more than the"),
        (gzip.compress(idx(IMAGES))[:-20], "cannot be read .*: fetch it again"),
        (gzip.compress(idx(IMAGES))[:-8] + b"\0" * 8, "cannot be read .*: fetch it again"),
        (gzip.compress(idx(IMAGES) + bytes(50_000_000)), "has data after its 32 declared images"),
    ],
    ids=[
        "empty",
        "png",
        "floats",
        "cut-header",
        "short",
        "trailing",
        "huge",
        "huge-samples",
        "cut-gzip",
        "bad-crc",
        "bomb",
    ],
)
def test_a_bad_idx_file_is_refused_with_its_fault(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(InputError, match=f"IDX: .*{message}"):
        IdxFile(tmp_path / "a").read()


@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.tuples(st.integers(0, 14), st.integers(0, 5), st.binary(max_size=60)).map(
            lambda parts: bytes([0, 0, *parts[:2]]) + parts[2]
        ),
        st.tuples(st.integers(0, 200), st.integers(0, 255)).map(
            lambda flip: (c := bytearray(gzip.compress(idx(IMAGES))))[: flip[0]] + bytes([flip[1]]) + c[flip[0] + 1 :]
        ),
    )
)
def test_whatever_the_bytes_an_array_or_our_own_error_comes_out(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    try:
        found = IdxFile(tmp_path / "a").read()
    except InputError:
        return
    assert found.dtype == np.uint8


def test_a_folder_becomes_samples_with_the_sources_own_split(tmp_path):
    store = write_store(tmp_path / "store", mnist_folder(tmp_path / "mnist"))
    assert store.index["split"].value_counts().to_dict() == {"train": 32, "test": 8}
    assert store.index["sample_id"].tolist()[31:33] == ["mnist/train/00031", "mnist/test/00000"]
    assert store.index["label"].tolist()[:11] == [*"0123456789", "0"]
    np.testing.assert_array_equal(store.read()[:32, 0], IMAGES)


def test_a_missing_folder_says_which_files_to_put_where(tmp_path):
    with pytest.raises(InputError, match=r"no train-images-idx3-ubyte.gz .* in .*nowhere/mnist: .*another folder"):
        IdxFolder(path=tmp_path / "nowhere" / "mnist", name="mnist").spec()


def test_without_t10k_files_the_split_follows_from_content(tmp_path):
    mnist_folder(tmp_path / "mnist")
    for path in (tmp_path / "mnist").glob("t10k-*"):
        path.unlink()
    store = write_store(tmp_path / "store", IdxFolder(path=tmp_path / "mnist", name="mnist"))
    assert len(store) == 32
    assert store.index["split"].tolist() == [split_by_content(sha) for sha in store.index["sha256"]]


def test_as_many_labels_as_images_are_needed(tmp_path):
    source = mnist_folder(tmp_path / "mnist", t10k_labels_idx1=gzip.compress(idx(LABELS[:7])))
    with pytest.raises(InputError, match="8 t10k images but labels of shape .7,.: give one label per image"):
        source.spec()


def test_all_files_are_checked_before_the_first_sample_is_given(tmp_path):
    source = mnist_folder(tmp_path / "mnist", t10k_images_idx3=gzip.compress(idx(IMAGES[:8])[:-3]))
    with pytest.raises(InputError, match="short payload, 7 of 8 images"):
        source.spec()


def test_mnist_itself_is_read_bit_for_bit(test_data, tmp_path):
    store = write_store(tmp_path, IdxFolder(path=test_data / "mnist", name="mnist"))
    assert store.index["split"].value_counts().to_dict() == {"train": 60_000, "test": 10_000}
    assert store.index["sample_id"].is_unique
    content = struct.pack(">BBBB3I", 0, 0, 8, 3, 60_000, 28, 28) + store.read()[:60_000].tobytes()
    assert hashlib.md5(content).hexdigest() == "6bbc9ace898e44ae57da46a324031adb"
