"""Where the results of the run lie that this one is compared with."""

from pathlib import Path
from typing import Any

from ae_pipelines.report.two_runs.options import CompareOptions, refuse_same
from ae_pipelines.tracking.recorded import folder_of_run

GONE = "no folder of run"
"""Begins the name of a folder that is not there, of a run of which only the record is left."""


def folder_of_other(parameters: dict[str, Any], project: Path) -> str | None:
    """The data folder of the run that `compare.with` names; None where the parameters are not those of `compare`, or
    name none. `InputError` for a run that MLflow does not know, or that worked in this folder and is the one here."""
    options = parameters.get("compare")
    if not isinstance(options, CompareOptions) or options.other is None:
        return None
    if options.run_id is None:
        return str(options.other)
    folder = folder_of_run(project, options.run_id)
    if folder is None:
        return str(options.data_dir / f"{GONE} {options.run_id}")
    refuse_same(folder, project / options.data_dir)
    return str(folder)
