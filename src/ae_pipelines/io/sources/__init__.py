"""Where samples come from: one file a source, each with an entry in `conf/base/catalog_sources.yml`."""

from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from ae_pipelines.samples import Source


class SourceDataset(AbstractDataset[None, Source]):
    """Loading gives a `Source`, which reads nothing until its blocks are asked for."""

    metadata: dict[str, Any] | None = None

    def save(self, data: None) -> NoReturn:
        raise DatasetError("sources are read only")
