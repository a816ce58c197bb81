"""The catalog entry of any source."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from ae_pipelines.samples.source import EncodedSource, Source
from ae_pipelines.samples.sources import SourceChoice


class SourceDataset(AbstractDataset[None, Source | EncodedSource]):
    """Loading gives a source of some kind, which takes its options by name and reads nothing yet."""

    def __init__(self, *, kind: str, metadata: dict[str, Any] | None = None, **options: Any) -> None:
        self._source = SourceChoice.model_validate({"kind": kind, **options})
        self._source.check()
        self.metadata = metadata

    def load(self) -> Source | EncodedSource:
        return self._source.build()

    def save(self, data: None) -> NoReturn:
        raise DatasetError("sources are read only")

    def _describe(self) -> dict[str, Any]:
        return self._source.model_dump()
