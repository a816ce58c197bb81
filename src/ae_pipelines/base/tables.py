"""Tables of a row a sample: in memory, or in parquet files that are written and read piece by piece."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from ae_pipelines.base import part_files, seals
from ae_pipelines.base.part_files import PartFiles

ATTRS = "PANDAS_ATTRS"
"""Where pandas keeps `DataFrame.attrs` in a parquet file."""


class Table(Protocol):
    """A table as what is made of it needs it: a `pandas.DataFrame`, or a `TableFile`, of which only what is asked for
    is in memory."""

    @property
    def columns(self) -> Any:
        """Names of the columns."""

    @property
    def attrs(self) -> dict[Any, Any]:
        """What is known about the whole table."""

    def __len__(self) -> int: ...

    def __getitem__(self, name: str, /) -> pd.Series: ...

    def take(self, rows: Any, /) -> pd.DataFrame:
        """The rows at these positions, in this order."""


class TableFile:
    """A table in parquet, one file or a folder of part files; `InputError` if it is damaged."""

    def __init__(self, path: Path) -> None:
        self._files = PartFiles(path, "a table of results", seals.AGAIN)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def columns(self) -> list[str]:
        return list(self._files.schema.names)

    @cached_property
    def attrs(self) -> dict[Any, Any]:
        return dict(json.loads(self._files.metadata.get(ATTRS, "{}")))

    def __getitem__(self, name: str, /) -> pd.Series:
        if name not in self.columns:
            raise KeyError(name)
        return self._files.read([name]).column(0).to_pandas().rename(name)

    def numbered(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """A column of texts of which few differ: the number of each row's text, and the texts; see `PartFiles`."""
        return self._files.numbered(name)

    def in_pieces(self, name: str) -> Iterator[pa.ChunkedArray]:
        """One column, consecutive rows at a time."""
        return (piece.column(0) for piece in self._files.pieces([name]))

    def take(self, rows: Any, /) -> pd.DataFrame:
        wanted = np.asarray(rows)
        return self._files.take(self.columns, wanted).to_pandas().set_axis(wanted)

    def pieces(self) -> Iterator[pd.DataFrame]:
        """All rows, consecutive ones at a time."""
        start = 0
        for table in self._files.pieces(self.columns):
            piece = table.to_pandas()
            yield piece.set_axis(pd.RangeIndex(start, start := start + len(piece)))


@dataclass(frozen=True)
class TableStream:
    """A table on its way to a file: written as its pieces are made."""

    pieces: Iterator[pd.DataFrame]
    """Consecutive rows; the columns and `attrs` are those of the first piece."""

    def into(self, path: Path) -> None:
        """Write the file."""
        schema = None
        with part_files.writing(path, _options) as writer:
            for piece in self.pieces:
                table = pa.Table.from_pandas(piece, schema, preserve_index=False)
                if schema is None:
                    about = {**table.schema.metadata, ATTRS.encode(): json.dumps(piece.attrs).encode()}
                    schema = table.schema.with_metadata(about)
                writer.write(table.replace_schema_metadata(schema.metadata))


def _options(schema: pa.Schema) -> dict[str, Any]:
    texts = [field.name for field in schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)]
    floats = [field.name for field in schema if pa.types.is_floating(field.type)]
    return {
        "compression": "zstd",
        "use_dictionary": [name for name in texts if name != "sample_id"],
        "use_byte_stream_split": floats,
        "write_page_checksum": True,
    }
