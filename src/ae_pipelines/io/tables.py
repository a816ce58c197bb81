"""Tables of a row a sample as Kedro datasets: save a `TableStream`, or a DataFrame; load a `TableFile`."""

from typing import Any

import pandas as pd
from kedro_datasets._typing import TablePreview

from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.io.local import WritableDataset
from ae_pipelines.io.skippable import Skippable


class _TableDataset(WritableDataset):
    def load(self) -> TableFile:
        return TableFile(self._filepath)

    def save(self, data: Any) -> None:
        super().save(TableStream(iter([data])) if isinstance(data, pd.DataFrame) else data)

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        rows = next(TableFile(self._filepath).pieces()).head(nrows)
        return TablePreview(rows.astype(str).to_dict(orient="split"))


class TableDataset(Skippable, _TableDataset):
    """Parquet, written as a stream: one file, or a folder of part files for many rows."""
