"""Weights with their contract as a Kedro dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

if TYPE_CHECKING:
    from ae_pipelines.trained import TrainedModel


class TrainedModelDataset(AbstractDataset["TrainedModel", "TrainedModel"]):
    """A folder with `weights.safetensors` and `contract.json`."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> "TrainedModel":
        from ae_pipelines.trained import TrainedModel

        return TrainedModel.load(self._filepath)

    def save(self, data: "TrainedModel") -> None:
        data.save(self._filepath)

    def preview(self) -> JSONPreview:
        """The contract, for Kedro-Viz; the one in the weights, which is the one that holds."""
        from safetensors import safe_open

        with safe_open(self._filepath / "weights.safetensors", framework="np") as file:
            return JSONPreview(file.metadata()["contract"])

    def _exists(self) -> bool:
        return all((self._filepath / name).exists() for name in ("weights.safetensors", "contract.json"))

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
