"""The training checkpoint as a Kedro dataset: loading gives the place, the training loop reads and writes it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from ae_pipelines.checkpoints import CheckpointFile


class CheckpointDataset(AbstractDataset[None, "CheckpointFile"]):
    """One file that the training loop replaces as it goes."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> "CheckpointFile":
        from ae_pipelines.checkpoints import CheckpointFile

        return CheckpointFile(self._filepath)

    def save(self, data: None) -> NoReturn:
        raise DatasetError("only the training loop writes checkpoints")

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
