"""The index of a sample store: what is known about each sample, read a few rows at a time."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import splits
from ae_pipelines.samples.parquet_pages import rows_at_once
from ae_pipelines.samples.spec import LearnedFrom

BATCH_ROWS = 65_536
"""Rows that are read at once."""
FEW_VALUES = ("split", "label", "source")
"""Columns that are read as numbers of their different values, in a tenth of the time."""
VALIDATION = "validation_place"
"""Column with `splits.validation_places`, which follow from the sha256; earlier stores do not have it."""
IDENTITY = ("sample_id", "split", "label")
INGEST_AGAIN = "ingest again"


class Index:
    """The index of a store with so many samples."""

    def __init__(self, path: Path, samples: int) -> None:
        self._path, self._samples = path, samples

    def batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """Some columns, those of `FEW_VALUES` as dictionaries."""
        few = [name for name in FEW_VALUES if name in columns]
        options = {"page_checksum_verification": True, "pre_buffer": False, "buffer_size": 2**16}
        with refusing_damage(self._path), pq.ParquetFile(self._path, read_dictionary=few, **options) as file:
            yield from file.iter_batches(BATCH_ROWS, columns=list(columns), use_threads=False)

    @cached_property
    def counts(self) -> Counter[tuple[str, str | None]]:
        """Number of samples by (split, label), None without one, in the order of the first of each."""
        counts = Counter[tuple[str, str | None]]()
        for batch in self.batches("split", "label"):
            parts, labels = (_codes(batch.column(name)) for name in ("split", "label"))
            pairs = parts.codes.astype(np.int64) * (len(labels.values) + 1) + labels.codes
            found, first, number = np.unique(pairs, return_index=True, return_counts=True)
            for place in np.argsort(first):
                part, label = divmod(int(found[place]), len(labels.values) + 1)
                counts[parts.values[part], [*labels.values, None][label]] += int(number[place])
        return counts

    def label_codes(self, number_of: Callable[[str], int]) -> np.ndarray:
        """The number of each sample's label, int32; -1 without one."""

        def numbers(batch: pa.RecordBatch) -> np.ndarray:
            codes, values = _codes(batch.column(0))
            return np.array([*map(number_of, values), -1], np.int32)[codes]

        return self._each(numbers, np.int32, "label")

    def in_split(self, split: str) -> np.ndarray:
        """A bool for each sample."""
        return self._each(lambda batch: _is_one_of(batch.column(0), [split]), bool, "split")

    def seen(self, learned_from: LearnedFrom) -> np.ndarray:
        """A bool for each sample: whether a model learned from it."""
        columns = ["split", *(["label"] if learned_from.normal_labels else []), *self._decides(learned_from)]
        return self._each(lambda batch: _seen(batch, learned_from), bool, *columns)

    def identities(self, learned_from: LearnedFrom) -> Iterator[pa.RecordBatch]:
        """`sample_id`, `split`, `label` and `seen`."""
        for batch in self.batches(*IDENTITY, *self._decides(learned_from)):
            columns = [plain(batch.column(name)) for name in IDENTITY]
            seen = pa.array(_seen(batch, learned_from))
            yield pa.RecordBatch.from_arrays([*columns, seen], [*IDENTITY, "seen"])

    def _decides(self, learned_from: LearnedFrom) -> list[str]:
        """The column that says what is held out, if something is."""
        if not learned_from.validation_share:
            return []
        with refusing_damage(self._path):
            return [VALIDATION if VALIDATION in pq.read_schema(self._path).names else "sha256"]

    def _each(self, find: Callable[[pa.RecordBatch], np.ndarray], dtype: type, *columns: str) -> np.ndarray:
        """What is found for every sample, of these columns."""
        found: np.ndarray = np.empty(self._samples, dtype)
        start = 0
        for batch in self.batches(*columns):
            found[start : start + len(batch)] = find(batch)
            start += len(batch)
        return found


class _Codes(NamedTuple):
    """A column of few different values."""

    codes: np.ndarray
    """The place of each row's value; `len(values)` where it is null."""
    values: list[str]


def _codes(column: pa.DictionaryArray) -> _Codes:
    values = column.dictionary.to_pylist()
    return _Codes(column.indices.fill_null(len(values)).to_numpy(zero_copy_only=False), values)


def plain(column: pa.Array) -> pa.Array:
    """The column without a dictionary."""
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _is_one_of(column: pa.DictionaryArray, names: Sequence[str]) -> np.ndarray:
    codes, values = _codes(column)
    return np.array([*(value in names for value in values), False])[codes]


def _seen(batch: pa.RecordBatch, learned_from: LearnedFrom) -> np.ndarray:
    seen = _is_one_of(batch.column("split"), ["train"])
    if learned_from.normal_labels:
        seen &= _is_one_of(batch.column("label"), learned_from.normal_labels)
    if learned_from.validation_share:
        seen &= ~splits.held_out(_validation_places(batch), learned_from.validation_share)
    return seen


def _validation_places(batch: pa.RecordBatch) -> np.ndarray:
    if VALIDATION in batch.schema.names:
        return batch.column(VALIDATION).to_numpy()
    return splits.validation_places(batch.column("sha256").to_pylist())


def read_table(path: Path) -> pd.DataFrame:
    """A whole table of a store."""
    with refusing_damage(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        rows_at_once(path, file, file.schema.names, file.metadata.num_rows)
        return file.read().to_pandas()


@contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """`InputError` if the file is damaged."""
    seals.check(path, INGEST_AGAIN, stages=("ingest",))
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is damaged or gone ({error}): {INGEST_AGAIN}", stages=("ingest",)) from error
