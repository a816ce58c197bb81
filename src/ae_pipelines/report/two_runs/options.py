"""With which run this one is compared. Cheap to import."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options

LATENTS = Path("07_model_output/latents.parquet")
"""Where latents are in a run's data folder."""
MLFLOW_RUN = re.compile(r"(?:runs:/|mlflow:)(?P<id>[^/]+)/?")
"""How a run of MLflow is named where a data folder may be given."""
WITH = "compare.with"
GIVE = {WITH: "<another data_dir, or runs:/id>"}


def run_named(text: str) -> str | None:
    """The id of the MLflow run that is named, if one is."""
    found = MLFLOW_RUN.fullmatch(text)
    return found["id"] if found else None


class CompareOptions(Options):
    """With which run this one is compared."""

    other: Annotated[Path | None, Field(alias="with")] = None
    """The data folder (`data_dir`) of another run, or `runs:/<id>`, a run of MLflow."""
    data_dir: Path
    """The data folder of this run."""

    @property
    def run_id(self) -> str | None:
        """The id of the MLflow run, if one is named."""
        return None if self.other is None else run_named(str(self.other))

    def check(self) -> None:
        """`InputError` unless there are latents in this folder and in another one; what MLflow has is not looked at."""
        if self.other is None:
            raise InputError(
                f"compare: no other run was named: give as {WITH} its data folder, or runs:/ and its id in MLflow",
                options=GIVE,
            )
        if self.run_id is None:
            self._check_folder(self.other)
        if not (self.data_dir / LATENTS).exists():
            raise InputError(
                f"compare: there are no latents in data_dir={self.data_dir}, the run that is to be compared: run train "
                "first, or give as data_dir the folder of a run",
                stages=("train",),
                options={"data_dir": "<its folder>"},
            )

    def _check_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{WITH}: given {folder}, but there is no such folder", options=GIVE)
        refuse_same(folder, self.data_dir)
        if not (folder / LATENTS).exists():
            raise InputError(
                f"{WITH}: given {folder}, but there are no latents in it ({LATENTS}): give the data_dir of a run in "
                "which embed ran",
                options=GIVE,
            )


def refuse_same(folder: Path, data_dir: Path) -> None:
    """`InputError` if the other run is this one."""
    if folder.resolve() == data_dir.resolve():
        raise InputError(
            f"{WITH} and data_dir are the same folder, {data_dir}: give another run to compare it with", options=GIVE
        )
