"""Registered models, their registry, and scores, as Kedro datasets."""

import re
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import DatasetError
from kedro_datasets._typing import JSONPreview, TablePreview

from ae_pipelines.base.errors import InputError
from ae_pipelines.io.local import WorkingPlace, WritableDataset

if TYPE_CHECKING:
    from ae_pipelines.scoring.model import ScoringModel
    from ae_pipelines.scoring.scores import Scores
    from ae_pipelines.scoring.version import RegisteredModel
    from ae_pipelines.tracking.versions.registry import ModelRegistry


class ScoringModelDataset(WritableDataset):
    """A folder: save an `Assembly`, load a verified `ScoringModel`."""

    def load(self) -> "ScoringModel":
        from ae_pipelines.scoring.model import ScoringModel

        return ScoringModel(self._filepath)

    def preview(self) -> JSONPreview:
        """The contract, for Kedro-Viz."""
        return JSONPreview((self._filepath / "contract.json").read_text(encoding="utf-8"))


class RegisteredModelDataset(WritableDataset):
    """A folder: save a version that was `Fetched` from the registry, load a `RegisteredModel`."""

    def load(self) -> "RegisteredModel":
        from ae_pipelines.scoring.version import RegisteredModel

        return RegisteredModel(self._filepath)

    def preview(self) -> JSONPreview:
        """The version, for Kedro-Viz."""
        return JSONPreview((self._filepath / "version.json").read_text(encoding="utf-8"))


class ModelRegistryDataset(WorkingPlace):
    """The versions of a registered model; `filepath` is a file in the project's folder, whose MLflow store is used
    unless `MLFLOW_TRACKING_URI` names another. Without a `name` the model is called as the `source`."""

    def __init__(
        self, *, filepath: str, name: str = "", source: str = "", metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(filepath=filepath, metadata=metadata)
        self._given, self._name = bool(str(name)), str(name) or str(source)
        if not re.fullmatch(r"[A-Za-z0-9][\w .-]*", self._name):
            raise InputError(f"model_name: given {self._name!r}, expected letters, digits, spaces and _ . - only")

    def load(self) -> "ModelRegistry":
        from ae_pipelines.tracking.versions.registry import ModelRegistry

        return ModelRegistry(self._filepath.parent, self._name, self._given)

    def save(self, data: None) -> NoReturn:
        raise DatasetError("the registry is written to by its own methods")

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}


class ScoresDataset(WritableDataset):
    """A folder that grows: save `NewRows`, which scores them into one more file; load `Scores`."""

    def sealed(self) -> None:
        return None  # each of its files is

    def load(self) -> "Scores":
        from ae_pipelines.scoring.scores import Scores

        return Scores(self._filepath)

    def preview(self, nrows: int = 8) -> TablePreview:
        """The first rows of the newest file, for Kedro-Viz."""
        from ae_pipelines.scoring.scores import ScoredBatch

        newest = max(self._filepath.glob("*/[!.]*.parquet"), key=lambda path: path.stat().st_mtime)
        return TablePreview(ScoredBatch(newest).table().head(nrows).astype(str).to_dict(orient="split"))
