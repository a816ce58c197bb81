"""Tables of a row a sample: in memory, or in parquet files that are written and read piece by piece."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ae_pipelines.base import parts
from ae_pipelines.base.parts import Parts

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
        self._parts = Parts(path, "a table of results", "run the stage that makes it again")

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def columns(self) -> list[str]:
        return list(self._parts.schema.names)

    @cached_property
    def attrs(self) -> dict[Any, Any]:
        return dict(json.loads(self._parts.metadata.get(ATTRS, "{}")))

    def __getitem__(self, name: str, /) -> pd.Series:
        if name not in self.columns:
            raise KeyError(name)
        return self._parts.read([name]).column(0).to_pandas().rename(name)

    def take(self, rows: Any, /) -> pd.DataFrame:
        wanted = np.asarray(rows)
        ascending, places = np.unique(wanted, return_inverse=True)
        found = self._parts.take(self.columns, ascending).to_pandas()
        return found.take(places).set_axis(wanted)

    def pieces(self) -> Iterator[pd.DataFrame]:
        """All rows, consecutive ones at a time."""
        start = 0
        for table in self._parts.pieces(self.columns):
            piece = table.to_pandas()
            yield piece.set_axis(pd.RangeIndex(start, start := start + len(piece)))

    def frame(self) -> pd.DataFrame:
        """All rows in memory."""
        found = self._parts.read(self.columns).to_pandas()
        found.attrs = self.attrs
        return found


@dataclass(frozen=True)
class TableStream:
    """A table on its way to a file: written as its pieces are made."""

    pieces: Iterator[pd.DataFrame]
    """Consecutive rows; the columns and `attrs` are those of the first piece."""

    def into(self, path: Path) -> None:
        """Write the file."""
        schema = None
        with parts.writing(path, _options) as writer:
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


def positions_of(values: Sequence[str], pieces: Iterable[pa.Array | pa.ChunkedArray]) -> np.ndarray:
    """Where each of some texts is in a column of different ones that comes in pieces: (len(values),), int64; -1 where
    it is not."""
    wanted = list(dict.fromkeys(values))
    found, start = np.full(len(wanted), -1), 0
    for piece in pieces if wanted else ():
        which = pc.index_in(piece.cast(pa.string()), value_set=pa.array(wanted, pa.string()))
        found[which.drop_null().to_numpy()] = start + np.flatnonzero(which.is_valid())
        start += len(piece)
    places = dict(zip(wanted, found, strict=True))
    return np.array([places[value] for value in values], np.int64)
