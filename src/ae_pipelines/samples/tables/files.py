"""Which files a table lies in: a CSV or parquet file, or a folder of parquet files, with partitions or without."""

import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from ae_pipelines.base.errors import InputError, NothingThere, first_of
from ae_pipelines.samples.parquet import passed_over
from ae_pipelines.samples.tables.cells import CellType
from ae_pipelines.samples.tables.csv_file import CsvFile
from ae_pipelines.samples.tables.parquet_file import ParquetFile
from ae_pipelines.samples.tables.reader import Reader

log = logging.getLogger(__name__)

NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""Value of a folder of rows that have none."""
_PARTITION_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


def readers_of(
    path: Path,
    *,
    header: bool | None = None,
    missing: Sequence[str | float] = (),
    written: Mapping[str, str] | None = None,
) -> list[Reader]:
    """Readers of a `.csv`, a `.parquet`, or of a folder of `.parquet` files in the order of their names.

    Folders called `name=value` within it are a column `name`, as Hive, Spark and DuckDB write partitions. `header`
    says whether CSV has a line of names (None: by looking), `missing` are more texts that mean a missing value,
    `written` by which format a training's columns were written.
    """
    if path.is_dir():
        return _parquet_files(path, missing)
    if not path.is_file():
        raise InputError(
            f"no file {path}: give a .csv, a .parquet, or a folder of .parquet files", options={"source.path": "..."}
        )
    if path.suffix.lower() == ".csv":
        return [CsvFile(path, header, missing, written)]
    if path.suffix.lower() == ".parquet":
        return [ParquetFile(path, missing)]
    raise InputError(f"{path} is neither .csv nor .parquet: convert it, or rename it if it is")


def _parquet_files(folder: Path, missing: Sequence[str | float]) -> list[Reader]:
    paths = sorted(folder.glob("[!.]*.parquet")) or sorted(folder.glob("*=*/**/[!._]*.parquet"))
    if not paths:
        where = (
            f"; they are in folders below it, such as {below[0].parent}" if (below := passed_over(folder, [])) else ""
        )
        raise NothingThere(f"the folder {folder} has no .parquet files{where}")
    if left := passed_over(folder, paths):
        log.warning(
            "%d .parquet files in folders below %s are not read: %s; move them to the others, or all of them into "
            "folders called name=value",
            *(len(left), folder, first_of([path.relative_to(folder).as_posix() for path in left], 5)),
        )
    partitions = [_partition(path.relative_to(folder)) for path in paths]
    values: dict[str, set[str]] = {}
    for partition in partitions:
        for name, value in partition.items():
            values.setdefault(name, set()).update([value] if value is not None else [])
    types = {name: _partition_type(found) for name, found in values.items()}
    return [
        ParquetFile(
            path,
            missing,
            path.relative_to(folder).with_suffix("").as_posix(),
            {name: (types[name], value) for name, value in partition.items()},
        )
        for path, partition in zip(paths, partitions, strict=True)
    ]


def _partition(path: Path) -> dict[str, str | None]:
    pairs = (unquote(part).partition("=") for part in path.parts[:-1] if "=" in part)
    return {name: None if value in (NO_PARTITION, "") else value for name, _, value in pairs}


def _partition_type(values: set[str]) -> CellType:
    """Numbers, unless one is written otherwise, such as with leading zeros."""
    if not values:
        return "empty"
    return "number" if all(_PARTITION_NUMBER.fullmatch(value) for value in values) else "text"
