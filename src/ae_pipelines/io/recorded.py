"""Runs that MLflow has on record, as a Kedro dataset."""

from typing import TYPE_CHECKING, NoReturn

from kedro.io import DatasetError

from ae_pipelines.io.local import WorkingPlace

if TYPE_CHECKING:
    from ae_pipelines.tracking.recorded import RecordedRuns


class RecordedRunsDataset(WorkingPlace):
    """Loads `RecordedRuns`; `filepath` is a file in the project's folder, whose MLflow store is used unless
    `MLFLOW_TRACKING_URI` names another."""

    def load(self) -> "RecordedRuns":
        from ae_pipelines.tracking.recorded import RecordedRuns

        return RecordedRuns(self._filepath.parent)

    def save(self, data: None) -> NoReturn:
        raise DatasetError("what is on record is written by runs")

    def _exists(self) -> bool:
        return True
