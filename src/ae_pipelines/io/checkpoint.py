"""The training checkpoint as a Kedro dataset: loading gives the file, which the training loop reads and writes."""

from typing import TYPE_CHECKING, NoReturn

from kedro.io import DatasetError

from ae_pipelines.io.local import WorkingPlace

if TYPE_CHECKING:
    from ae_pipelines.training.checkpoints import CheckpointFile


class CheckpointDataset(WorkingPlace):
    """One file that the training loop replaces as it goes."""

    def load(self) -> "CheckpointFile":
        from ae_pipelines.training.checkpoints import CheckpointFile

        return CheckpointFile(self._filepath)

    def save(self, data: None) -> NoReturn:
        raise DatasetError("only the training loop writes checkpoints")
