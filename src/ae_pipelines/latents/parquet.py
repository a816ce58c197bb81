"""How latents lie in parquet: the columns of a latents file, and vectors as one column of any file."""

from typing import Any

import numpy as np
import pyarrow as pa

ROWS_PER_GROUP = 8_192
"""Rows per row group; so few that writing overlaps with encoding, even in small files."""
SCHEMA = pa.schema([("sample_id", pa.string()), ("split", pa.string()), ("label", pa.string()), ("seen", pa.bool_())])
COLUMNS = tuple(SCHEMA.names)
ERRORS = ("reconstruction_error", "blurred_error")


def column_of(vectors: np.ndarray) -> pa.FixedSizeListArray:
    """Vectors (n, d) as one column of float32."""
    values = np.ascontiguousarray(vectors, np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def vectors_of(column: pa.ChunkedArray) -> np.ndarray:
    """The vectors that `column_of` was given: (n, d), float32."""
    vectors = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return vectors.reshape(len(column), column.type.list_size)


def parquet_options(schema: pa.Schema, categories: list[str]) -> dict[str, Any]:
    """Options for writing a file with the column `latent`; `categories` are text columns with few different values."""
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    return {
        "compression": "zstd",
        "use_dictionary": categories,
        "use_byte_stream_split": ["latent.list.element", *floats],
        "write_page_checksum": True,
    }
