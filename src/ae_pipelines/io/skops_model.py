"""scikit-learn models as `.skops` files: opening one runs no code that is not on our list."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from ae_pipelines import atomic
from ae_pipelines.errors import InputError

TRUSTED: list[str] = []
"""Types beyond skops' own defaults that our models hold; never taken from the file."""


class SkopsDataset(AbstractDataset[Any, Any]):
    """One scikit-learn model."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Any:
        from skops import io as skops
        from skops.io.exceptions import UntrustedTypesFoundException

        try:
            return skops.load(self._filepath, trusted=TRUSTED)
        except UntrustedTypesFoundException as error:
            raise InputError(f"{self._filepath} holds types we do not open: {error}. Train the model again") from error

    def save(self, data: Any) -> None:
        from skops import io as skops

        with atomic.replacing(self._filepath) as temporary:
            skops.dump(data, temporary)

    def _exists(self) -> bool:
        return self._filepath.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
