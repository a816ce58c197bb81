"""Runs that MLflow has on record, to compare others with."""

import json
import tempfile
from pathlib import Path
from typing import Any

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.report.two_runs.options import GIVE, LATENTS, WITH
from ae_pipelines.report.two_runs.recorded import Recorded
from ae_pipelines.tracking.chart_names import measured
from ae_pipelines.tracking.store import client_of, page_of

DATA_DIR = "data_dir"
"""The tag that says in which folder a run worked."""
KEPT_CONTRACT = "encoder/encoder/contract.json"
"""The artifact that says which encoder a run has kept."""


class RecordedRuns:
    """All runs of a project that are on record; the store is only opened when one is asked for."""

    def __init__(self, project: Path) -> None:
        self._project = project

    def of(self, run_id: str) -> Recorded | None:
        """What is known of a run; None where it is unknown."""
        client = client_of(self._project)
        run = _run(client, run_id)
        if run is None:
            return None
        return Recorded(
            run_id,
            run.info.run_name,
            _by_stage(run.data.metrics),
            dict(run.data.params),
            page_of(client.tracking_uri, run),
        )


def folder_of_run(project: Path, run_id: str) -> Path | None:
    """The data folder in which a run worked, if latents of its encoder are still there. `InputError` if the run is
    unknown."""
    client = client_of(project)
    run = _run(client, run_id)
    if run is None:
        raise InputError(
            f"{WITH}: there is no MLflow run {run_id} where runs are recorded: `make mlflow` shows them; for runs "
            "recorded elsewhere set MLFLOW_TRACKING_URI, or give a folder",
            options=GIVE,
        )
    given = run.data.tags.get(DATA_DIR) or run.data.params.get(f"given.{DATA_DIR}")
    if given is None:
        return None
    folder = project / Path(given).expanduser()
    return folder if _has_latents_of(client, run_id, folder / LATENTS) else None


def _has_latents_of(client: Any, run_id: str, path: Path) -> bool:
    """Whether latents of the encoder that the run trained, or kept, are there."""
    try:
        latents = LatentsFile(path)
    except InputError:
        return False
    trained_by = latents.metadata.get("run_id")
    return trained_by is not None and trained_by in (run_id, _trained_by(client, run_id))


def _trained_by(client: Any, run_id: str) -> str | None:
    """The run that trained the encoder that this run has kept, if it has one."""
    from mlflow.artifacts import download_artifacts

    folder, _, _ = KEPT_CONTRACT.rpartition("/")
    if all(file.path != KEPT_CONTRACT for file in client.list_artifacts(run_id, folder)):
        return None
    with tempfile.TemporaryDirectory() as place:
        path = download_artifacts(
            run_id=run_id, artifact_path=KEPT_CONTRACT, dst_path=place, tracking_uri=client.tracking_uri
        )
        found = json.loads(Path(path).read_text(encoding="utf-8")).get("run_id")
    return None if found is None else str(found)


def _run(client: Any, run_id: str) -> Any | None:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException:
        return None


def _by_stage(metrics: dict[str, float]) -> dict[str, dict[str, float]]:
    """What stages measured, under the names that they gave it."""
    found: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        stage, _, measure = measured(name).partition("/")
        found.setdefault(stage, {})[measure] = value
    return found
