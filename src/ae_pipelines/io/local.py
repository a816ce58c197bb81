"""What most datasets here have in common."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from ae_pipelines.base import seals
from ae_pipelines.base.writable import Writable


class Sealed:
    """Mixin for a dataset of one file or folder, `_filepath`, that is sealed when it is saved."""

    _filepath: Any
    """A path of either kind: Kedro's are never those of Windows."""

    def sealed(self) -> Path | None:
        """What has the seal; None if nothing can be told from it of whether the dataset is up to date."""
        return Path(self._filepath)

    def refuse_damaged(self) -> None:
        """`InputError` if it is not what was saved."""
        if (path := self.sealed()) is not None:
            seals.check(path, seals.AGAIN)


class LocalDataset(Sealed, AbstractDataset[Any, Any]):
    """A file or a folder on this machine."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}


class WorkingPlace(LocalDataset):
    """A file or a folder in which nodes work, and which is there before they are done."""

    def sealed(self) -> None:
        return None


class WritableDataset(LocalDataset):
    """A file or a folder whose content is made while it is written: save a `Writable`."""

    def save(self, data: Writable) -> None:
        data.into(self._filepath)
