"""A folder as a Kedro dataset: for work that keeps many files of its own there."""

from pathlib import Path
from typing import NoReturn

from kedro.io import DatasetError

from ae_pipelines.io.local import LocalDataset


class FolderDataset(LocalDataset):
    """Where a node keeps what it would not do twice."""

    def load(self) -> Path:
        return self._filepath

    def save(self, data: None) -> NoReturn:
        raise DatasetError("only the node that works in this folder writes there")
