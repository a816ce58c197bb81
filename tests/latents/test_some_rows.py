"""Ids and some rows of latents, without all of them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import LatentsFile, read_latents
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents

ROWS = 60
TABLE = pd.DataFrame(
    {
        "sample_id": [f"s/{row}" for row in range(ROWS)],
        "split": ["test", "train"] * (ROWS // 2),
        "label": ["b", None, "a"] * (ROWS // 3),
        "seen": True,
    }
)
VECTORS = np.arange(2 * ROWS, dtype=np.float32).reshape(ROWS, 2)


def written(path, rows_per_file=25):
    batches = iter(pa.Table.from_pandas(TABLE, preserve_index=False).to_batches())
    write_latents(path, LatentStream(batches, iter([LatentBlock(VECTORS)]), {"encoder_sha256": "e"}, rows_per_file))
    return path


@pytest.fixture(params=["in memory", "in parts"])
def latents(request, tmp_path, monkeypatch):
    path = written(tmp_path / "latents.parquet")
    for module in ("base.part_files", "latents.file"):
        monkeypatch.setattr(f"ae_pipelines.{module}.ROWS_AT_ONCE", 7)
    monkeypatch.setattr("ae_pipelines.latents.file.KEPT_BYTES", 0)
    return read_latents(path) if request.param == "in memory" else LatentsFile(path)


def test_samples_are_found_by_their_ids(latents):
    assert latents.positions(["s/59", "nobody", "s/3", "s/59"]).tolist() == [59, -1, 3, 59]
    assert latents.positions(pd.Series([], dtype="str")).tolist() == []


def test_what_is_known_of_some_rows_is_told_in_their_order(latents):
    rows = np.array([40, 3, 40])
    found = latents.take(rows)
    assert found.index.tolist() == [40, 3, 40]
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True)[list(TABLE)], TABLE.take(rows).reset_index(drop=True), check_dtype=False
    )


def test_vectors_of_some_rows_come_in_blocks(latents):
    rows = np.arange(0, ROWS, 3)
    parts, vectors = zip(*latents.blocks(rows), strict=True)
    assert max(map(len, parts)) == 7
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    np.testing.assert_array_equal(np.concatenate(vectors), VECTORS[rows])


def test_splits_are_numbers_of_names(latents):
    assert latents.splits.names.tolist() == ["test", "train"]
    assert latents.splits[:3].tolist() == ["test", "train", "test"]


def test_a_table_is_of_latents_whose_ids_it_has_in_order(latents, tmp_path):
    table = TABLE[["sample_id"]]
    changed = table.copy()
    changed.loc[ROWS - 1, "sample_id"] = "another"
    for found, expected in ((table, True), (changed, False), (table[::-1], False), (table[1:], False)):
        TableStream(iter([found[:9], found[9:30], found[30:]])).into(tmp_path / "t.parquet")
        assert provenance.are_of(found, latents) is expected
        assert provenance.are_of(TableFile(tmp_path / "t.parquet"), latents) is expected


# -- what others read -------------------------------------------------------------------------------------------------


@pytest.fixture(params=[25, 1000], ids=["a folder", "a file"])
def path(request, tmp_path):
    found = written(tmp_path / "latents.parquet", request.param)
    assert found.is_dir() == (request.param < ROWS)
    return found


def is_whole(ids, vectors):
    assert list(ids) == TABLE["sample_id"].tolist()
    np.testing.assert_array_equal(np.stack(list(vectors)), VECTORS)


def test_pandas_reads_a_file_and_a_folder(path):
    table = pd.read_parquet(path, columns=["sample_id", "latent"])
    is_whole(table["sample_id"], table["latent"])


def test_pyarrow_reads_a_file_and_a_folder(path):
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    for table in (pq.read_table(path), ds.dataset(path).to_table()):
        is_whole(table["sample_id"].to_pylist(), table["latent"].to_pylist())


def test_duckdb_reads_a_file_and_the_parts_of_a_folder(path):
    duckdb = pytest.importorskip("duckdb")
    found = duckdb.sql(f"SELECT sample_id, latent FROM read_parquet('{parts_of(path)}')").fetchall()
    is_whole(*zip(*found, strict=True))


def test_polars_reads_a_file_and_the_parts_of_a_folder(path):
    found = pytest.importorskip("polars").read_parquet(parts_of(path))
    is_whole(found["sample_id"], found["latent"].to_list())


def parts_of(path):
    return str(path / "*.parquet" if path.is_dir() else path)
