"""A folder as a Kedro dataset, for a node that keeps many files of its own."""

from pathlib import Path
from typing import NoReturn

from kedro.io import DatasetError

from ae_pipelines.io.local import WorkingPlace


class FolderDataset(WorkingPlace):
    """A folder in which a node keeps results that it should not compute twice."""

    def load(self) -> Path:
        return self._filepath

    def save(self, data: None) -> NoReturn:
        raise DatasetError("only the node that works in this folder writes there")
