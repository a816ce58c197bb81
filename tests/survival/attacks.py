"""What attacks share."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines.base.content import content_sha256
from ae_pipelines.base.errors import InputError, caused_by
from ae_pipelines.base.tables import TableFile
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.onnx.saved import OnnxModels
from ae_pipelines.scoring.scores import ScoredBatch, Scores
from ae_pipelines.scoring.version import RegisteredModel
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.trained import TrainedModel

LONG = os.environ.get("AE_SURVIVE") == "long"


def tries(short: int, long: int) -> int:
    """How often something is tried: seldom in `make test`, often in `make survive`."""
    return long if LONG else short


@contextmanager
def catalog_of(data: Path) -> Iterator[Any]:
    """The project's catalog over a data folder."""
    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT, runtime_params={"data_dir": str(data)}) as session:
        yield session.load_context().catalog


def refusal(error: BaseException) -> InputError | None:
    """The one message that a user would see; None if it would be a traceback."""
    return next((cause for cause in caused_by(error) if isinstance(cause, InputError)), None)


def content(value: Any) -> Any:
    """All that a catalog entry gives to those who load it, read to its end, in a form that can be compared. What names
    a run or the time that it took is left out."""
    if isinstance(value, Samples):
        tables = [_table(table) for table in (value.index, value.rejects, value.conflicts)]
        first = value.take(np.array([0])) if len(value) else None
        return value.id, *tables, content(value.counts()), value.read(), first, value.masks()
    if isinstance(value, Latents):
        return _table(value.table), value.vectors, value.metadata["samples_id"]
    if isinstance(value, TableFile):
        return _table(value.take(np.arange(len(value)))), content(value.attrs)
    if isinstance(value, pd.DataFrame):
        return _table(value)
    if isinstance(value, TrainedModel):
        return value.content
    if isinstance(value, CheckpointFile):
        found = value.load()
        return None if found is None else {name: tensor.numpy() for name, tensor in found[0].items()}
    if isinstance(value, Scores):
        return [_table(ScoredBatch(path).read().to_pandas()) for path in sorted(value.folder.glob("*/[!.]*.parquet"))]
    if isinstance(value, OnnxModels):
        return value.contract.models, sorted(value.contract.files)
    if isinstance(value, ScoringModel):
        value.open()
        return value.contract.content, _table(value.reference.table().to_pandas())
    if isinstance(value, RegisteredModel):
        return str(value.version), content(value.models)
    if isinstance(value, dict):
        return {name: content(part) for name, part in value.items() if name not in TIMES}
    if isinstance(value, list):
        return [content(part) for part in value]
    return content_sha256(value, without=(EncodedBy,))


TIMES = ("seconds", "samples_per_second", "rows_per_second", "run_id", "encoder", "taken_up")
"""Fields that differ from run to run: times, names of runs and of what carries them, and what an earlier one left."""


def _table(table: pd.DataFrame) -> str:
    plain = table.drop(columns=[name for name in TIMES if name in table])
    return hashlib.sha256(repr(plain.to_dict(orient="list")).encode()).hexdigest()


def same(one: Any, other: Any) -> bool:
    """Whether two contents are equal."""
    return content_sha256(one) == content_sha256(other)


def files_of(dataset: Any) -> list[Path]:
    """All files of a catalog entry, with seals and the note that stands in for a file."""
    path = Path(str(dataset._filepath))
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and file.name != ".lock")
    beside = (path, path.with_name(f".{path.name}.seal"), Path(f"{path}.skipped"))
    return [file for file in beside if file.exists()]
