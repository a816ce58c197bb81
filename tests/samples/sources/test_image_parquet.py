import hashlib
import json
from decimal import Decimal
from io import BytesIO
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import images
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.source import EncodedSource
from ae_pipelines.samples.sources import SourceChoice, image_parquet

PIXELS = images(6, (5, 6, 3))


def png(pixels):
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PNGS = [png(pixels) for pixels in PIXELS]


def written(path, columns=None, metadata=None, **options):
    """A file as Hugging Face lays it out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    default = {"image": [{"bytes": png, "path": f"{n}.png"} for n, png in enumerate(PNGS)], "label": [0, 1, 2, 0, 1, 2]}
    table = pa.table(default if columns is None else columns).replace_schema_metadata(metadata)
    pq.write_table(table, path, **options)
    return path


def source(path, **options):
    return SourceChoice(kind="image_parquet", path=path, **options).build()


def example(folder, first, last):
    contents = [png(pixels) for pixels in images(last, (5, 6, 3))]
    contents[3:5] = [None, contents[0]]
    columns = {"image": contents[first:], "label": [number % 3 for number in range(first, last)]}
    return source(written(folder / "all.parquet", columns))


def everything(path, **options):
    """(id, content, label, split) of each."""
    return [
        row
        for block in source(path, **options).blocks()
        for row in zip(block.ids, block.contents, block.labels, block.splits or [None] * len(block.ids), strict=True)
    ]


def huggingface(**features):
    return {"huggingface": json.dumps({"info": {"features": features}})}


def test_a_file_is_a_source_that_the_workers_decode(tmp_path):
    found = source(written(tmp_path / "all.parquet"))
    assert isinstance(found, EncodedSource)
    assert found.spec().shape == (3, 5, 6)
    assert found.count() == 6
    (block,) = found.blocks()
    for content, pixels in zip(block.contents, PIXELS, strict=True):
        np.testing.assert_array_equal(found.decode(content), pixels.transpose(2, 0, 1))


def test_rows_keep_their_order_and_ids_say_where_they_are(tmp_path):
    path = written(tmp_path / "all.parquet", row_group_size=4)
    assert everything(path) == [
        (f"all/0000{row}", PNGS[row], label, None) for row, label in enumerate([0, 1, 2, 0, 1, 2])
    ]


def test_images_may_be_plain_bytes_and_columns_be_named(tmp_path):
    columns = {"a.picture": PNGS, "kind": ["x", None, "y", "x", "x", "y"], "key": [7, 8, 9, 10, 11, 12]}
    path = written(tmp_path / "all.parquet", columns)
    found = everything(path, image_column="a.picture", label_column="kind", id_column="key")
    assert found[:3] == [("7", PNGS[0], "x", None), ("8", PNGS[1], None, None), ("9", PNGS[2], "y", None)]
    assert {label for _, _, label, _ in everything(path, image_column="a.picture", label_column=None)} == {None}


def test_numbers_become_the_class_names_of_the_metadata(tmp_path):
    columns = {"image": PNGS, "label": [0, 1, -1, 0, None, 1]}
    path = written(tmp_path / "all.parquet", columns, huggingface(label={"names": ["cat", "dog"]}))
    assert [label for _, _, label, _ in everything(path)] == ["cat", "dog", None, "cat", None, "dog"]
    assert everything(path, unlabelled=["-1"])[2][2] == -1, "it is counted where labels are named"
    path = written(tmp_path / "all.parquet", columns, huggingface(label={"names": ["cat"]}))
    with pytest.raises(InputError, match="row 1 has the label 1, but there are 1 classes"):
        everything(path)


@pytest.mark.parametrize("type_", [pa.float64(), pa.float32(), pa.decimal128(5, 1)])
def test_whole_floats_become_the_class_names_too(tmp_path, type_):
    labels = pa.array([Decimal(value) for value in (0, 1, -1, 0, 1)] + [None]).cast(type_)
    metadata = huggingface(label={"names": ["cat", "dog"]})
    path = written(tmp_path / "all.parquet", {"image": PNGS, "label": labels}, metadata)
    assert [label for _, _, label, _ in everything(path)] == ["cat", "dog", None, "cat", "dog", None]


@pytest.mark.parametrize("label", [0.5, float("inf"), 2.0, -2.0])
def test_numbers_that_are_those_of_no_class_are_refused(tmp_path, label):
    metadata = huggingface(label={"names": ["cat", "dog"]})
    path = written(tmp_path / "all.parquet", {"image": PNGS[:2], "label": [0.0, label]}, metadata)
    with pytest.raises(InputError, match=f"row 1 has the label {label}, but there are 2 classes"):
        everything(path)


@pytest.mark.parametrize("metadata", [{"huggingface": "no json"}, huggingface(), huggingface(label={"names": None})])
def test_without_class_names_numbers_are_as_the_file_holds_them(tmp_path, metadata):
    path = written(tmp_path / "all.parquet", {"image": PNGS, "label": [0, 10, -1, 0, 1, 1]}, metadata)
    assert [label for _, _, label, _ in everything(path)] == [0, 10, -1, 0, 1, 1]


def test_dictionary_encoded_labels_are_read_as_their_values(tmp_path):
    columns = {"image": PNGS, "label": pa.array(["x", "y", None] * 2).dictionary_encode()}
    assert [label for _, _, label, _ in everything(written(tmp_path / "all.parquet", columns))] == ["x", "y", None] * 2


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (pa.array([0.0, None, float("nan"), 2.5, 1.0, 1.0]), [0.0, None, None, 2.5, 1.0, 1.0]),
        (pa.array([True, False, None] * 2), [True, False, None] * 2),
        (pa.nulls(6), [None] * 6),
        (pa.array(["a", "", None] * 2, pa.large_string()), ["a", "", None] * 2),
        (pa.array(["a", " b", None] * 2, pa.string_view()), ["a", " b", None] * 2),
        (pa.array([1, 2, None] * 2, pa.decimal128(5, 1)), [1.0, 2.0, None] * 2),
        (pa.array([1.0, 2.0, None] * 2).dictionary_encode(), [1.0, 2.0, None] * 2),
    ],
)
def test_labels_of_any_type_are_as_the_file_holds_them_and_nan_is_none(tmp_path, labels, expected):
    path = written(tmp_path / "all.parquet", {"image": pa.array(PNGS, pa.binary_view()), "label": labels})
    found = [label for _, _, label, _ in everything(path)]
    assert found == expected
    assert [type(label) for label in found] == [type(label) for label in expected]


def test_class_names_are_not_taken_for_booleans(tmp_path):
    columns = {"image": PNGS, "label": [True, False, None] * 2}
    path = written(tmp_path / "all.parquet", columns, huggingface(label={"names": ["cat", "dog"]}))
    assert [label for _, _, label, _ in everything(path)] == [True, False, None] * 2


@pytest.mark.parametrize("type_", [pa.uuid(), pa.binary(16)])
def test_ids_may_be_uuids(tmp_path, type_):
    uuids = [UUID(int=number) for number in range(6)]
    keys = pa.array([uuid.bytes for uuid in uuids], pa.binary(16)).cast(type_)
    path = written(tmp_path / "all.parquet", {"image": PNGS, "label": [1] * 6, "key": keys})
    assert [id_ for id_, *_ in everything(path, id_column="key")] == list(map(str, uuids))


def test_a_row_without_an_image_is_rejected(tmp_path):
    structs = [None, {"bytes": None, "path": "b.png"}, *({"bytes": png, "path": None} for png in PNGS[:2])]
    path = written(tmp_path / "all.parquet", {"image": structs, "label": [0, 1, 2, 3]})
    (block,) = source(path).blocks()
    assert [(reject.id, reject.reason) for reject in block.rejects] == [
        ("all/00000", "no image"),
        ("all/00001", "no image"),
    ]
    assert block.rejects[0].sha256 == hashlib.sha256(b"").hexdigest()
    assert (block.ids, block.labels) == (["all/00002", "all/00003"], [2, 3])
    assert source(path).count() == 4


def test_blocks_are_small_however_large_the_row_groups_are(tmp_path):
    path = written(tmp_path / "all.parquet", {"image": PNGS[:1] * 600, "label": list(range(600))})
    blocks = list(source(path).blocks())
    assert [len(block.ids) for block in blocks] == [256, 256, 88]
    assert blocks[-1].ids[-1] == "all/00599"
    assert blocks[-1].labels[-1] == 599


def test_files_named_train_and_test_are_these_splits(tmp_path):
    for name in ("train-1.parquet", "train-0.parquet", "test.parquet", ".train-2.parquet"):
        written(tmp_path / name)
    found = everything(tmp_path)
    assert [(name, split) for name, _, _, split in found[::6]] == [
        ("test/00000", "test"),
        ("train-0/00000", "train"),
        ("train-1/00000", "train"),
    ]
    assert {split for _, _, _, split in everything(tmp_path, splits="content")} == {None}


def test_files_named_by_split_may_be_written_in_capitals(tmp_path):
    for name in ("Train-0.parquet", "TEST-0.parquet"):
        written(tmp_path / name)
    assert [split for _, _, _, split in everything(tmp_path)[::6]] == ["test", "train"]


def test_files_of_which_only_some_are_named_by_split_need_a_decision(tmp_path):
    for name in ("train.parquet", "validation.parquet"):
        written(tmp_path / name)
    for splits in (None, "file_name"):
        with pytest.raises(InputError, match=r"1 of 2 files .* \(validation.parquet\): .*source.splits=content"):
            source(tmp_path, splits=splits).count()
    assert source(tmp_path, splits="content").count() == 12
    (tmp_path / "train.parquet").unlink()
    assert {split for _, _, _, split in everything(tmp_path)} == {None}


def test_mixed_sizes_are_refused_with_their_counts(tmp_path):
    path = written(tmp_path / "all.parquet", {"image": [*PNGS[:2], png(PIXELS[0, :3, :4])], "label": [0, 1, 2]})
    with pytest.raises(InputError, match=r"2 of 5 x 6 \(such as all/00000\), 1 of 3 x 4 \(such as all/00002\)"):
        source(path).spec()
    assert source(path, size=4, resize="stretch").spec().shape == (3, 4, 4)


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (
            {"img": PNGS, "label": [1] * 6},
            {},
            "has the columns img, label, expected one image: give source.image_column",
        ),
        ({"image": PNGS}, {}, "has the columns image, expected one label"),
        ({"image": PNGS}, {"label_column": None, "id_column": "key"}, "expected one key"),
        ({"image": ["a"] * 6, "label": [1] * 6}, {}, "column image is string, expected binary, or a struct"),
        ({"image": PNGS, "label": [[1]] * 6}, {}, "column label is list<.*, expected numbers, booleans or strings"),
        (
            {"image": PNGS, "label": [1] * 6, "key": [0.5] * 6},
            {"id_column": "key"},
            "column key is double, expected whole",
        ),
        ({"image": PNGS, "label": [1] * 6, "key": [None, *"abcde"]}, {"id_column": "key"}, "row 0 has no key"),
    ],
)
def test_columns_that_are_missing_or_of_another_type_are_named(tmp_path, columns, options, message):
    with pytest.raises(InputError, match=message):
        everything(written(tmp_path / "all.parquet", columns), **options)


def test_a_missing_file_says_what_to_give(tmp_path):
    for path in (tmp_path, tmp_path / "none.parquet"):
        with pytest.raises(InputError, match="no parquet file at .*source.path="):
            source(path).count()


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: b"text" * 9, lambda c: c[: len(c) // 2], lambda c: c[:-1]])
def test_a_damaged_file_is_refused(tmp_path, damage):
    path = written(tmp_path / "all.parquet")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match="all.parquet cannot be read as parquet"):
        source(path).count()


def test_labels_that_are_not_utf8_are_refused(tmp_path):
    labels = pa.array([b"caf\xe9"] * 6).view(pa.string())
    with pytest.raises(InputError, match="cannot be read as parquet"):
        everything(written(tmp_path / "all.parquet", {"image": PNGS, "label": labels}))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255))
def test_a_flipped_byte_in_a_file_with_checksums_is_found_or_changes_no_image(tmp_path, place, byte):
    path = tmp_path / "all.parquet"
    if not path.exists():
        written(path, write_page_checksum=True)
        (tmp_path / "whole").write_bytes(path.read_bytes())
    content = bytearray((tmp_path / "whole").read_bytes())
    content[int(place * len(content))] ^= byte
    flipped = tmp_path / "flipped.parquet"
    flipped.write_bytes(content)
    try:
        found = [content for _, content, _, _ in everything(flipped)]
    except InputError:
        return
    assert found in (PNGS, [])


def test_cifar10_is_read_whole(test_data):
    found = source(test_data / "cifar10")
    assert found.spec().shape == (3, 32, 32)
    assert found.count() == 60_000
    counts = {"train": np.zeros(10, int), "test": np.zeros(10, int)}
    for number, block in enumerate(found.blocks()):
        for label, split in zip(block.labels, block.splits, strict=True):
            counts[split][int(label)] += 1
        if number % 40 == 0:
            assert found.decode(block.contents[0]).shape == (3, 32, 32)
    assert counts["train"].tolist() == [5000] * 10
    assert counts["test"].tolist() == [1000] * 10


def test_large_images_are_read_fewer_at_a_time(tmp_path, monkeypatch):
    path = written(tmp_path / "all.parquet")
    assert [len(block.ids) for block in source(path).blocks()] == [6]
    monkeypatch.setattr(image_parquet, "BLOCK_BYTES", 2 * max(map(len, PNGS)))
    assert max(len(block.ids) for block in source(path).blocks()) <= 2
    assert len(everything(path)) == 6


def test_files_in_folders_below_are_told(tmp_path, caplog):
    for name in ("a", "sub/b", "sub/c"):
        written(tmp_path / f"{name}.parquet")
    assert source(tmp_path).count() == 6
    (told,) = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert told.startswith("2 .parquet files in folders below")
    assert "are not read: sub/b.parquet, sub/c.parquet" in told
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(InputError, match="only in folders below it, such as .*sub"):
        source(tmp_path).count()
