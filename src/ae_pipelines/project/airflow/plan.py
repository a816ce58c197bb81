"""What `conf/airflow/airflow.yml` may say: DAGs by name, each a pipeline and when to run it."""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from yaml import YAMLError  # type: ignore[import-untyped]

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.secrets import secrets_among
from ae_pipelines.project.typed import as_typed, typed, typed_yaml

ENVIRONMENT = "airflow"
"""The Kedro environment in which tasks run, and whose folder holds `airflow.yml`."""


class DagPlan(Options):
    """One DAG: a task for each stage of a pipeline."""

    pipeline: str
    schedule: str | None = None
    """Cron expression in UTC, or a preset of Airflow such as @daily; None: only when started by hand."""
    start_date: date = date(2026, 1, 1)
    """No run is due before this. When Airflow starts, the latest missed run is caught up, earlier ones are not."""
    retries: Annotated[int, Field(ge=0)] = 2
    """Retries of each task. A training that is retried is taken up at its checkpoint."""
    retry_delay_seconds: Annotated[float, Field(ge=0)] = 300
    execution_timeout_hours: Annotated[float, Field(gt=0)] = 12
    """Time limit of each try of a task; its processes then get SIGTERM."""
    pool: str = "ae_pipelines"
    """Airflow's pool for the stages. One slot: a data folder takes one writer at a time."""
    params: dict[str, object] = {}
    """What would follow `--params`: {recipe: conv, recipe.training.epochs: 3}. Words stay as they are written."""

    @field_validator("params")
    @classmethod
    def _one_value_each(cls, params: dict[str, object]) -> dict[str, object]:
        for name in secrets_among(params):
            raise ValueError(f"{name} looks like a secret, and DAG files are read by many: use an environment variable")
        for name, value in params.items():
            if not _arrives(name, value):
                raise ValueError(f"given {name}: {value!r}, expected one value of one name: use a list, or quotes")
        return params

    def kedro_params(self) -> str:
        """`params` as one text for `--params`."""
        return ",".join(f"{name}={as_typed(value)}" for name, value in self.params.items())


def _arrives(name: str, value: object) -> bool:
    """Whether a run that is given this as a text is given this value of this name."""
    try:
        found: Any = typed(f"{name}={as_typed(value)}")
    except InputError:
        return False
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) and len(found) == 1 else None
    return bool(found == _read(value))


def _read(value: Any) -> Any:
    """The value as it is when it has been typed: numbers are words, until a field takes them."""
    if isinstance(value, dict):
        return {str(name): _read(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_read(item) for item in value]
    return value if isinstance(value, str) else as_typed(value)


def read_plans(project: Path) -> dict[str, DagPlan]:
    """The DAGs of a project by name; `InputError` names the file and what is wrong with it."""
    path = project / "conf" / ENVIRONMENT / "airflow.yml"
    try:
        entries = typed_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"there is no {path}: --project-path takes the folder that holds conf/") from error
    except YAMLError as error:
        raise InputError(f"{path}: {error}") from error
    if not (isinstance(entries, dict) and entries):
        raise InputError(f"{path}: given {entries!r}, expected DAGs by name, such as ae_train: {{pipeline: train}}")
    return {name: _plan(path, name, entry) for name, entry in entries.items()}


def _plan(path: Path, name: Any, entry: Any) -> DagPlan:
    if not re.fullmatch(r"[\w.-]+", str(name), re.ASCII):
        raise InputError(f"{path}: given a DAG called {name!r}, expected letters, digits and _ . - only")
    try:
        return DagPlan.model_validate(entry)
    except InputError as error:
        raise InputError(f"{path}, {name}: {error}") from error
