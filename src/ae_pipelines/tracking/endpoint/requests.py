"""What a request holds, as data for the models: read within bounds on memory, whatever was sent."""

import csv
import json
import logging
from collections.abc import Callable, Mapping
from io import StringIO
from typing import Any

import pandas as pd
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.pyfunc import scoring_server

from ae_pipelines.training.devices import give_back_freed_memory

log = logging.getLogger(__name__)

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
MOST_VALUES = 1_000_000
"""In one request: as Python's objects and arrays they take some 50 MB, and hold up other requests for half a second."""
MOST_LISTS = 200_000
"""Lists and records in one request: each takes some 60 bytes even if it is empty."""
MOST_COLUMNS = 50_000
LARGE = 256 * 2**10
"""Bytes of a request from which on what it took is given back: the next one may be small."""
FEWER = "send fewer samples at a time"


class Refusal(MlflowException):
    """Answered with status 400 and the reason alone: MLflow would put the whole request before it."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        super().__init__(reason, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        return self._reason

    @message.setter
    def message(self, longer: str) -> None:
        pass


def answer(content: bytes | str, content_type: str | None, model: Any) -> scoring_server.InvocationsResponse:
    """What a model answers to a request: JSON of its predictions; status 415 for content that is neither JSON nor CSV,
    `Refusal` for what cannot be read, or the model cannot take."""
    kind, _, charset = (content_type or "none").partition(";")
    read = READERS.get(kind.strip().lower())
    if read is None or charset.strip().lower() not in ("", "charset=utf-8"):
        said = f"Content-Type {content_type or 'missing'}: send {' or '.join(READERS)}, in UTF-8"
        return scoring_server.InvocationsResponse(response=said, status=415, mimetype="text/plain")
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"the request is not UTF-8 ({error.reason} at byte {error.start})") from error
    try:
        predictions = json.dumps({"predictions": model.predict(read(text))})
    finally:
        if len(content) > LARGE:
            give_back_freed_memory()
    return scoring_server.InvocationsResponse(response=predictions, status=200, mimetype="application/json")


def of_json(text: str) -> Any:
    """The samples in JSON; `Refusal` if there are none, or more than can be read."""
    _refuse_many(text.count(",") + 1, text.count("[") + text.count("{"))
    try:
        found = json.loads(text)
    except RecursionError as error:
        raise Refusal("the request is nested too deep: send lists of samples, or records") from error
    except ValueError as error:
        raise Refusal(f"the request is not valid JSON: {str(error)[:200]}") from error
    given = [name for name in FORMATS if isinstance(found, dict) and name in found]
    if len(given) != 1:
        raise Refusal(
            f"the request must be a JSON dictionary with exactly one of the input fields {', '.join(FORMATS)}, "
            f"given {_shown(given or found)}"
        )
    data = found[given[0]]
    if given[0] == "dataframe_split":
        return _split(data)
    if given[0] == "dataframe_records" and not (isinstance(data, list) and all(isinstance(row, dict) for row in data)):
        raise Refusal(f"dataframe_records is a list of records, given {_shown(data)}")
    _refuse_many_columns(data)
    return data


def of_csv(text: str) -> pd.DataFrame:
    """The rows in CSV with a line of names; `Refusal` if they cannot be read."""
    rows = max(text.count("\n"), text.count("\r")) + 1
    _refuse_many(text.count(",") + rows)
    try:
        columns = len(next(csv.reader(StringIO(text, newline="")), []))
        _refuse_many_cells(rows, columns)
        return pd.read_csv(StringIO(text))
    except (ValueError, csv.Error) as error:
        if isinstance(error, MlflowException):
            raise
        raise Refusal(f"the request is not valid CSV with a line of names: {str(error)[:200]}") from error


READERS: dict[str, Callable[[str], Any]] = {"application/json": of_json, "text/csv": of_csv}


def _split(data: Any) -> pd.DataFrame:
    rows = data.get("data") if isinstance(data, dict) else None
    columns = data.get("columns") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise Refusal(f"dataframe_split is a record of columns and data, a list of rows, given {_shown(data)}")
    if not isinstance(columns, list | None) or {len(row) for row in rows} - {len(columns or [*rows, []][0])}:
        raise Refusal("dataframe_split: rows of data must have as many cells as there are columns")
    _refuse_many_cells(len(rows), len(columns or []))
    return pd.DataFrame(rows, columns=columns and [str(name) for name in columns])


def _refuse_many(values: int, lists: int = 0) -> None:
    if values > MOST_VALUES or lists > MOST_LISTS:
        raise Refusal(
            f"the request holds {values:,} values in {lists:,} lists and records, but at most {MOST_VALUES:,} in "
            f"{MOST_LISTS:,} are read at once: {FEWER}"
        )


def _refuse_many_columns(data: Any) -> None:
    """Refuses what would become a huge table: records of ever other names would take their number squared."""
    if isinstance(data, Mapping):
        _refuse_many_cells(1, len(data))
    elif isinstance(data, list) and data and isinstance(data[0], Mapping):
        names: set[str] = set()
        for row in data:
            names.update(row if isinstance(row, Mapping) else ())
        _refuse_many_cells(len(data), len(names))


def _refuse_many_cells(rows: int, columns: int) -> None:
    if columns > MOST_COLUMNS or rows * columns > 2 * MOST_VALUES:
        raise Refusal(f"the request is a table of {rows:,} rows and {columns:,} columns, which is too large: {FEWER}")


def _shown(value: Any) -> str:
    """A value in few words; a large one is never written out."""
    if isinstance(value, dict):
        return f"a record with {', '.join([str(name)[:30] for name in value][:5]) or 'nothing'}"
    if isinstance(value, list) and len(value) > 5:
        return f"a list of {len(value):,}"
    return f"{type(value).__name__} {str(value)[:60]}" if not isinstance(value, list) else f"{str(value)[:60]}"
