"""Files for TensorBoard's embedding projector as a Kedro dataset: save a `Projector`."""

from typing import NoReturn

from kedro.io import DatasetError

from ae_pipelines.io.local import WritableDataset


class ProjectorDataset(WritableDataset):
    """A folder that TensorBoard takes as its log directory."""

    def load(self) -> NoReturn:
        raise DatasetError("a projector's files cannot be loaded, only looked at with TensorBoard")
