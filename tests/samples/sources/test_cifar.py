import gzip
import io
import tarfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.fetch import PublicSet
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.cifar import ARCHIVE, CLASSES, FILES, RECORD, Cifar10, parse_records

ROWS = 3
RECORDS = np.random.default_rng(0).integers(0, 256, (len(FILES), ROWS, RECORD.itemsize), dtype=np.uint8)
RECORDS[..., 0] = np.arange(len(FILES) * ROWS).reshape(len(FILES), ROWS) % 10
CONTENTS = {file: records.tobytes() for file, records in zip(FILES, RECORDS, strict=True)}


def tar_gz(contents):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def sparse_tar():
    """A tar member that says it is sparse, with nonsense where its map of holes should be."""
    member = tarfile.TarInfo("data_batch_1.bin")
    member.size = 512
    member.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    return member.tobuf(tarfile.PAX_FORMAT) + b"\xff" * 512


def source(folder, content):
    (folder / ARCHIVE).write_bytes(content)
    return Cifar10(ROWS, path=folder)


def example(folder, first, last):
    first, last = first // len(FILES), last // len(FILES)
    records = np.random.default_rng(1).integers(0, 10, (last, len(FILES), RECORD.itemsize), dtype=np.uint8)[first:]
    contents = {file: records[:, number].tobytes() for number, file in enumerate(FILES)}
    (folder / ARCHIVE).write_bytes(tar_gz(contents))
    return Cifar10(last - first, path=folder)


def test_the_archive_becomes_samples_with_the_sources_own_split(tmp_path):
    store = write_store(tmp_path / "store", source(tmp_path, tar_gz(CONTENTS)))
    assert store.index["sample_id"].tolist()[13:16] == [
        "cifar10/train/00013",
        "cifar10/train/00014",
        "cifar10/test/00000",
    ]
    assert store.index["split"].tolist() == ["train"] * 15 + ["test"] * 3
    assert store.index["label"].tolist()[:11] == [*CLASSES, "airplane"]
    np.testing.assert_array_equal(store.read(), RECORDS[..., 1:].reshape(-1, 3, 32, 32))


def test_the_order_in_the_archive_does_not_matter(tmp_path):
    plain = write_store(tmp_path / "a", source(tmp_path, tar_gz(CONTENTS)))
    others = {"readme.html": b"<html>", "._data_batch_1.bin": b"of a Mac"}
    turned = write_store(tmp_path / "b", source(tmp_path, tar_gz(others | dict(reversed(CONTENTS.items())))))
    assert turned.id == plain.id


@pytest.mark.parametrize("below", ["", "cifar-10-batches-bin"])
def test_extracted_files_are_as_good_as_the_archive(tmp_path, below):
    packed = write_store(tmp_path / "a", source(tmp_path, tar_gz(CONTENTS)))
    (tmp_path / "raw" / below).mkdir(parents=True)
    for name, content in CONTENTS.items():
        (tmp_path / "raw" / below / name).write_bytes(content)
    assert write_store(tmp_path / "b", Cifar10(ROWS, path=tmp_path / "raw")).id == packed.id


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tar_gz(CONTENTS | {FILES[2]: CONTENTS[FILES[2]][:-1]}), "data_batch_3.bin: short payload, 2 of 3 records"),
        (tar_gz(CONTENTS | {FILES[5]: CONTENTS[FILES[5]] + b"x"}), "test_batch.bin has data after its 3 records"),
        (tar_gz(CONTENTS | {FILES[0]: b"\x0a" * 3 * RECORD.itemsize}), "label 10 in record 0, expected 0 to 9"),
        (tar_gz(dict(list(CONTENTS.items())[:5])), "has no test_batch.bin: not the binary version, or not whole"),
        (tar_gz(CONTENTS)[:-20], "cannot be read"),
        (tar_gz(CONTENTS)[:-8] + b"\0" * 8, "cannot be read .*CRC check failed"),
        (gzip.compress(sparse_tar()), "cannot be read"),
        (b"<html>404</html>", "cannot be read .*Not a gzipped file"),
        (b"", "cannot be read"),
        (gzip.compress(b"no tar archive" * 100), "cannot be read"),
        (gzip.compress(gzip.decompress(tar_gz(CONTENTS))[:30_000]), "cannot be read"),
    ],
    ids=[
        "short",
        "trailing",
        "label",
        "missing",
        "cut-gzip",
        "bad-crc",
        "bad-sparse",
        "html",
        "empty",
        "not-a-tar",
        "cut-tar",
    ],
)
def test_a_bad_archive_is_refused_with_its_fault(tmp_path, content, message):
    with pytest.raises(InputError, match=rf"^CIFAR-10: \S* ?{message}"):
        list(source(tmp_path, content).blocks())


def test_a_missing_extracted_file_is_named(tmp_path):
    (tmp_path / FILES[0]).write_bytes(CONTENTS[FILES[0]])
    with pytest.raises(InputError, match="cannot be read .*data_batch_2.bin"):
        list(Cifar10(ROWS, path=tmp_path).blocks())


def test_a_missing_folder_says_what_to_put_where(tmp_path):
    with pytest.raises(InputError, match=r"no cifar-10-binary.tar.gz .* in .*cifar10: .*another folder"):
        Cifar10(path=tmp_path / "cifar10").spec()


def test_an_empty_folder_is_filled_from_the_public_set(tmp_path):
    nowhere = PublicSet("cifar10", {ARCHIVE: "md5:"}, mirrors=())
    with pytest.raises(InputError, match=r"no cifar-10-binary.tar.gz in .*raw, and it could not be fetched"):
        Cifar10(path=tmp_path / "raw", fetch=nowhere).spec()


@settings(max_examples=2_000, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=50),
        st.tuples(st.integers(0, 3 * RECORD.itemsize), st.binary(max_size=3)).map(
            lambda change: CONTENTS[FILES[0]][: change[0]] + change[1] + CONTENTS[FILES[0]][change[0] + 1 :]
        ),
    )
)
def test_whatever_the_bytes_three_records_or_our_own_error_comes_out(content):
    try:
        images, labels = parse_records(content, ROWS, "a")
    except InputError:
        return
    assert len(content) == ROWS * RECORD.itemsize
    assert labels.max() < 10
    np.testing.assert_array_equal(np.hstack([labels[:, None], images.reshape(ROWS, -1)]).tobytes(), content)


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 2047), byte=st.integers(0, 255), zipped=st.booleans())
def test_whatever_byte_of_the_archive_is_changed_samples_or_our_own_error_come_out(
    tmp_path_factory, place, byte, zipped
):
    content = bytearray(tar_gz(CONTENTS) if zipped else gzip.decompress(tar_gz(CONTENTS)))
    content[place] = byte
    archive = bytes(content) if zipped else gzip.compress(content, 0)
    try:
        blocks = list(source(tmp_path_factory.getbasetemp(), archive).blocks())
    except InputError:
        return
    assert sum(len(block.ids) for block in blocks) == len(FILES) * ROWS
