"""Pictures and tables on this machine as Kedro datasets, with the options and previews that kedro-datasets' own have.

Those import pyplot and SQLAlchemy as soon as a catalog is made, which takes longer than to find that a run has nothing
to do.
"""

from base64 import b64encode
from io import BytesIO
from typing import Any, NoReturn

from kedro.io import DatasetError
from kedro_datasets._typing import ImagePreview, TablePreview

from ae_pipelines.io.local import LocalDataset


class Picture(LocalDataset):
    """A picture of a matplotlib figure; `save_args` are those of `Figure.savefig`."""

    def __init__(
        self, *, filepath: str, save_args: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._save_args = save_args or {}

    def load(self) -> NoReturn:
        raise DatasetError(f"a picture such as {self._filepath} cannot be loaded, only looked at")

    def save(self, data: Any) -> None:
        drawn = BytesIO()
        data.savefig(drawn, **self._save_args)
        self._filepath.write_bytes(drawn.getvalue())

    def preview(self) -> ImagePreview:
        """The picture, for Kedro-Viz."""
        return ImagePreview(b64encode(self._filepath.read_bytes()).decode())


class Table(LocalDataset):
    """A table; `load_args` are those of `pandas.read_parquet`, `save_args` those of `DataFrame.to_parquet`."""

    def __init__(
        self,
        *,
        filepath: str,
        load_args: dict[str, Any] | None = None,
        save_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._load_args, self._save_args = load_args or {}, save_args or {}

    def load(self) -> Any:
        import pandas as pd

        return pd.read_parquet(self._filepath, **self._load_args)

    def save(self, data: Any) -> None:
        with self._filepath.open("wb") as file:
            data.to_parquet(file, **self._save_args)

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for Kedro-Viz."""
        import pyarrow.parquet as pq

        table = pq.read_table(self._filepath, columns=self._load_args.get("columns"))[:nrows]
        return TablePreview(table.to_pandas().to_dict(orient="split"))
