"""Encoders that MLflow runs have kept."""

import re
from pathlib import Path
from typing import Any

from ae_pipelines.base.errors import InputError
from ae_pipelines.tracking.store import client_of

RUN = re.compile(r"(?:runs:/|mlflow:)(?P<id>[^/]+)(?:/(?P<artifact>.+))?")
"""How an MLflow run is named where a folder may be given; the artifact is `encoder` if none is named."""


def folder_of(project: Path, address: str) -> Path:
    """The folder of the encoder that a recipe starts from; that of an MLflow run is fetched first.
    `InputError` if the run is unknown, or has not kept what is asked for."""
    if (run := RUN.fullmatch(address)) is not None:
        return _fetched(client_of(project), run["id"], run["artifact"] or "encoder")
    return Path(address)


def _fetched(client: Any, run_id: str, artifact: str) -> Path:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(run_id)
    except MlflowException as error:
        raise InputError(
            f"training.initial_encoder: there is no MLflow run {run_id} where runs are recorded: `make mlflow` shows "
            "them; for runs recorded elsewhere set MLFLOW_TRACKING_URI, or give a folder"
        ) from error
    if not client.list_artifacts(run_id, artifact):
        kept = ", ".join(file.path for file in client.list_artifacts(run_id)) or "nothing"
        raise InputError(
            f"training.initial_encoder: the MLflow run {run_id} ({run.info.run_name}, {run.info.status}) has no "
            f"{artifact!r}, it kept {kept}: give a run in which embed ran"
        )
    return Path(download_artifacts(run_id=run_id, artifact_path=artifact, tracking_uri=client.tracking_uri))
