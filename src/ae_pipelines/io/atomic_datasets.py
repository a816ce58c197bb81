"""Files of well-known kinds, as kedro-datasets loads, saves and previews them, but atomic: a kill leaves the old file.

Kedro's datasets write into the final file, so a killed run leaves a torn one that looks complete.
"""

from pathlib import Path
from typing import Any

from kedro_datasets.json import JSONDataset as _JSONDataset
from kedro_datasets.text import TextDataset as _TextDataset

from ae_pipelines.base import seals
from ae_pipelines.io.local import Sealed
from ae_pipelines.io.notes import kept_in
from ae_pipelines.io.pictures_and_tables import Picture, Table
from ae_pipelines.io.skippable import Skippable


class Atomic(Sealed):
    """Mixin for a dataset with a local, unversioned `_filepath`: saves beside it, then replaces it, sealed; loads only
    what is whole."""

    def load(self) -> Any:
        self.refuse_damaged()
        return super().load()  # type: ignore[misc]

    def save(self, data: Any) -> None:
        final = self._filepath
        with seals.replacing(Path(final)) as temporary:
            self._filepath = type(final)(temporary)
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = final


class JSONDataset(Skippable, Atomic, _JSONDataset):
    """`kedro_datasets.json.JSONDataset`, atomic."""


class MatplotlibDataset(Skippable, Atomic, Picture):
    """A picture, as `kedro_datasets.matplotlib.MatplotlibDataset` writes it, atomic."""


class ParquetDataset(Skippable, Atomic, Table):
    """A table, as `kedro_datasets.pandas.ParquetDataset` writes it, atomic."""


class TextDataset(Skippable, Atomic, _TextDataset):
    """`kedro_datasets.text.TextDataset`, atomic."""


class NotesDataset(JSONDataset):
    """A JSON file of notes by stage, which no run fails for: those of a damaged one are gone."""

    def sealed(self) -> None:
        return None  # it is written on after what it tells of

    def load(self) -> dict[str, dict[str, Any]]:
        return kept_in(Path(self._filepath))
