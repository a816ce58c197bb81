import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import names_in

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import LatentsFile, read_latents
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents

ROWS = 1000
VECTORS = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)
INDEX = pd.DataFrame(
    {
        "sample_id": [f"s/{row}" for row in range(ROWS)],
        "split": ["train", "test"] * (ROWS // 2),
        "label": ["a", None, "b", "a"] * (ROWS // 4),
        "seen": [True, False] * (ROWS // 2),
    }
)


def ids():
    return iter(pa.Table.from_pandas(INDEX, preserve_index=False).to_batches(max_chunksize=77))


def stream(vectors=VECTORS, block=64, blurred=True):
    parts = [vectors[start : start + block] for start in range(0, len(vectors), block)]
    blocks = (LatentBlock(part, part[:, 0], part[:, 1] if blurred else None) for part in parts)
    return LatentStream(ids(), blocks, {"encoder_sha256": "abc"})


@pytest.fixture(params=[100, 10_000], ids=["many row groups", "one row group"])
def path(request, tmp_path, monkeypatch):
    monkeypatch.setattr("ae_pipelines.latents.stream.ROWS_PER_GROUP", request.param)
    write_latents(tmp_path / "latents.parquet", stream())
    return tmp_path / "latents.parquet"


def test_what_is_written_is_read(path):
    found = read_latents(path)
    np.testing.assert_array_equal(found.vectors, VECTORS)
    assert found.table["sample_id"].tolist() == INDEX["sample_id"].tolist()
    assert found.labelled.tolist() == INDEX["label"].notna().tolist()
    assert found.labels[:4].tolist() == ["a", "", "b", "a"]
    assert found.in_split("test").sum() == ROWS / 2
    np.testing.assert_array_equal(found.seen, found.in_split("train"))
    assert found.metadata == {"encoder_sha256": "abc"}


def test_some_rows_and_pieces_are_those_of_the_whole(path, monkeypatch):
    monkeypatch.setattr("ae_pipelines.latents.file.KEPT_BYTES", 0)
    monkeypatch.setattr("ae_pipelines.base.part_files.ROWS_AT_ONCE", 90)
    found, whole = LatentsFile(path), read_latents(path)
    for rows in (np.array([999, 3, 3, 500]), INDEX["seen"].to_numpy(), np.array([], int)):
        np.testing.assert_array_equal(found.at(rows), VECTORS[rows])
    pieces = list(found.pieces())
    np.testing.assert_array_equal(np.concatenate([piece.vectors for piece in pieces]), VECTORS)
    pd.testing.assert_frame_equal(pd.concat([piece.table for piece in pieces], ignore_index=True), whole.table)
    assert max(map(len, pieces)) <= 90
    np.testing.assert_array_equal(np.concatenate(list(found.vectors_in_pieces())), VECTORS)
    np.testing.assert_array_equal(found.labels.codes, whole.labels.codes)
    np.testing.assert_array_equal(found.in_split("train"), whole.in_split("train"))


@pytest.mark.parametrize("read", [LatentsFile, read_latents])
def test_some_samples_are_found_by_id_and_by_row(path, monkeypatch, read):
    monkeypatch.setattr("ae_pipelines.base.part_files.ROWS_AT_ONCE", 90)
    found = read(path)
    assert found.positions(["s/999", "s/3", "another", "s/3"]).tolist() == [999, 3, -1, 3]
    assert found.positions([]).tolist() == []
    assert found.ids_at(np.array([999, 3, 3])).tolist() == ["s/999", "s/3", "s/3"]
    assert found.ids_at(np.array([], int)).tolist() == []


def test_a_file_gives_the_means_that_its_rows_have(path):
    found = LatentsFile(path)
    expected = VECTORS[INDEX["split"] == "test", 0].mean(dtype=np.float64)
    assert found.mean("reconstruction_error", "test") == pytest.approx(expected)
    assert read_latents(path).mean("reconstruction_error", "test") == pytest.approx(expected)
    assert (len(found), found.size) == (ROWS, 3)


def test_the_schema_is_the_contract(path):
    schema = pq.read_schema(path)
    assert {field.name: str(field.type) for field in schema} == {
        "sample_id": "string",
        "split": "string",
        "label": "string",
        "seen": "bool",
        "latent": "fixed_size_list<element: float>[3]",
        "reconstruction_error": "float",
        "blurred_error": "float",
    }
    assert schema.metadata[b"ae_pipelines.encoder_sha256"] == b"abc"


def test_vectors_are_compressed_byte_wise_and_without_a_dictionary(path):
    group = pq.ParquetFile(path).metadata.row_group(0)
    column = next(
        group.column(i) for i in range(group.num_columns) if group.column(i).path_in_schema.startswith("latent")
    )
    assert column.compression == "ZSTD"
    assert "BYTE_STREAM_SPLIT" in column.encodings
    assert not column.has_dictionary_page


def test_data_that_are_not_images_have_no_blurred_error(tmp_path):
    write_latents(tmp_path / "l.parquet", stream(blurred=False))
    assert "blurred_error" not in read_latents(tmp_path / "l.parquet").table


def test_flipped_bits_are_noticed(path):
    whole, content = read_latents(path), path.read_bytes()
    noticed = 0
    for place in np.random.default_rng(1).integers(0, len(content) - 200, 40):
        damaged = bytearray(content)
        damaged[place] ^= 8
        path.write_bytes(damaged)
        try:
            found = read_latents(path)
        except InputError:
            noticed += 1
        else:
            # what is not covered by a checksum (page headers' hints, padding) changes no value
            np.testing.assert_array_equal(found.vectors, VECTORS)
            pd.testing.assert_frame_equal(found.table, whole.table)
    assert noticed > 20


def test_a_stream_that_ends_early_leaves_the_old_file(path):
    with pytest.raises(InputError, match="100 samples have no latents"):
        write_latents(path, stream(VECTORS[:900]))
    assert len(read_latents(path)) == ROWS


def test_more_latents_than_samples_are_refused(path):
    with pytest.raises(InputError, match="more latents than samples"):
        write_latents(path, stream(np.repeat(VECTORS, 2, axis=0)))
    assert len(read_latents(path)) == ROWS


def test_a_stream_that_fails_leaves_the_old_file_and_no_other(path):
    def failing():
        yield LatentBlock(VECTORS[:64], VECTORS[:64, 0])
        raise RuntimeError("encoder failed")

    with pytest.raises(RuntimeError, match="encoder failed"):
        write_latents(path, LatentStream(ids(), failing(), {}))
    assert len(read_latents(path)) == ROWS
    assert names_in(path.parent) == [path.name]


def test_nan_in_a_latents_file_is_refused(tmp_path):
    bad = VECTORS.copy()
    bad[7, 1] = np.nan
    with pytest.raises(InputError, match="the encoder gave NaN or Inf"):
        write_latents(tmp_path / "l.parquet", stream(bad))
    column = pa.FixedSizeListArray.from_arrays(pa.array(bad.reshape(-1)), 3)
    pq.write_table(pa.table({"sample_id": INDEX["sample_id"], "latent": column}), tmp_path / "l.parquet")
    with pytest.raises(InputError, match="1 of 1000 latents .* have NaN or Inf"):
        read_latents(tmp_path / "l.parquet")


def test_a_file_that_is_not_ours_is_refused(tmp_path):
    (tmp_path / "l.parquet").write_text("not parquet")
    with pytest.raises(InputError, match="not a latents file"):
        read_latents(tmp_path / "l.parquet")
