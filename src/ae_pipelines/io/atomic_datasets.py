"""kedro-datasets' own classes, made atomic: same options, same previews, and a kill leaves the old file.

Kedro's datasets write into the final file, so a killed run leaves a torn one that looks complete.
"""

from pathlib import Path, PurePosixPath
from typing import Any

from kedro_datasets.json import JSONDataset as _JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset as _MatplotlibDataset
from kedro_datasets.pandas import ParquetDataset as _ParquetDataset
from kedro_datasets.text import TextDataset as _TextDataset

from ae_pipelines.base import atomic
from ae_pipelines.io.notes import kept_in
from ae_pipelines.io.skippable import Skippable


class Atomic:
    """Mixin for a dataset with a local, unversioned `_filepath`: saves beside it, then replaces it."""

    _filepath: PurePosixPath

    def save(self, data: Any) -> None:
        final = self._filepath
        with atomic.replacing(Path(final)) as temporary:
            self._filepath = PurePosixPath(temporary)
            try:
                super().save(data)  # type: ignore[misc]
            finally:
                self._filepath = final


class JSONDataset(Skippable, Atomic, _JSONDataset):
    """`kedro_datasets.json.JSONDataset`, atomic."""


class MatplotlibDataset(Skippable, Atomic, _MatplotlibDataset):
    """`kedro_datasets.matplotlib.MatplotlibDataset`, atomic."""


class ParquetDataset(Skippable, Atomic, _ParquetDataset):
    """`kedro_datasets.pandas.ParquetDataset`, atomic."""


class TextDataset(Skippable, Atomic, _TextDataset):
    """`kedro_datasets.text.TextDataset`, atomic."""


class NotesDataset(JSONDataset):
    """A JSON file of notes by stage, which no run fails for: those of a damaged one are gone."""

    def load(self) -> dict[str, dict[str, Any]]:
        return kept_in(Path(self._filepath))
