"""What reading a parquet file takes, by its pages."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.parquet_pages import BATCH_BYTES, DICTIONARY, _pages, rows_at_once

MB = 2**20
TEXTS = [f"text {number % 700:04d}" for number in range(5_000)]


def rows(path, columns, most=1000):
    with pq.ParquetFile(path) as file:
        return rows_at_once(path, file, columns, most)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_pages_are_found_with_their_sizes_and_values(tmp_path, version, compression, dictionary):
    table = pa.table({"a": np.arange(5_000.0), "b": pa.array([None, *TEXTS[1:]]), "c": [[1.0], None] * 2_500})
    options = {"data_page_version": version, "compression": compression, "use_dictionary": dictionary}
    pq.write_table(table, path := tmp_path / "a.parquet", row_group_size=2_000, data_page_size=1_000, **options)
    about = pq.read_metadata(path)
    with path.open("rb") as file:
        for group in range(about.num_row_groups):
            for column in range(3):
                chunk = about.row_group(group).column(column)
                pages = list(_pages(file, chunk))
                assert sum(page.values for page in pages if page.kind != DICTIONARY) == chunk.num_values
                assert (pages[0].kind == DICTIONARY) == chunk.has_dictionary_page == dictionary
                assert sum(page.compressed for page in pages) < chunk.total_compressed_size
                assert sum(page.size for page in pages) < chunk.total_uncompressed_size
    assert rows(path, ["a", "b"]) == 1000


def test_rows_are_read_together_as_far_as_the_largest_value_allows(tmp_path):
    values = pa.array(["a" * (MB // 2), "b"])
    column = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 2_000), values)
    options = {"dictionary_pagesize_limit": 4 * MB, "store_schema": False}
    pq.write_table(pa.table({"text": column, "a": range(4_000)}), path := tmp_path / "a.parquet", **options)
    assert rows(path, ["text"]) == BATCH_BYTES // (MB // 2)
    assert rows(path, ["a"]) == 1000


def test_many_different_texts_do_not_make_batches_small(tmp_path):
    pq.write_table(pa.table({"text": [f"{number:0100d}" for number in range(9_000)]}), path := tmp_path / "a.parquet")
    assert rows(path, ["text"], most=16_384) == 16_384


def test_a_field_of_structs_is_looked_at(tmp_path):
    images = pa.array([{"bytes": bytes(70 * MB), "path": "a"}])
    pq.write_table(pa.table({"image": images}), path := tmp_path / "a.parquet", compression="zstd")
    with pytest.raises(InputError, match=r"column image\.bytes has .* bytes that become 73,400"):
        rows(path, ["image.bytes"])
    assert rows(path, ["image.path"]) == 1000


def test_a_large_page_that_is_hardly_compressed_is_read(tmp_path):
    noise = np.random.default_rng(0).bytes(70 * MB)
    pq.write_table(
        pa.table({"image": [noise]}), path := tmp_path / "a.parquet", compression="zstd", use_dictionary=False
    )
    assert rows(path, ["image"]) == 1000


def test_a_large_value_that_many_rows_share_is_refused(tmp_path):
    column = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000, np.int32)), pa.array(["a" * 20 * MB]))
    options = {"dictionary_pagesize_limit": 30 * MB, "store_schema": False, "compression": "zstd"}
    pq.write_table(pa.table({"text": column}), path := tmp_path / "a.parquet", **options)
    with pytest.raises(InputError, match="column text has a value of 20,971,520 bytes that up to 1,000 rows share"):
        rows(path, ["text"])


def test_pages_that_are_not_there_are_told(tmp_path):
    pq.write_table(pa.table({"a": np.arange(10.0)}), path := tmp_path / "a.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"\xff" * 20 + content[24:])
    with pytest.raises(pa.ArrowInvalid, match="there is no page at byte 4"):
        rows(path, ["a"])
