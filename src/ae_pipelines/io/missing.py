"""What a node gets in place of a file that is not there, and that it can do without."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError


class MissingDataset(AbstractDataset[None, None]):
    """Loads None."""

    def load(self) -> None:
        return None

    def save(self, data: None) -> NoReturn:
        raise DatasetError("this stands for a file that is not there")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {}
