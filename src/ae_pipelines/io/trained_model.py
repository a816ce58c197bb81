"""Weights with their contract as a Kedro dataset."""

from pathlib import Path
from typing import TYPE_CHECKING

from kedro_datasets._typing import JSONPreview

from ae_pipelines.io.local import LocalDataset

if TYPE_CHECKING:
    from ae_pipelines.training.trained import TrainedModel


class TrainedModelDataset(LocalDataset):
    """A folder with `weights.safetensors` and `contract.json`."""

    def sealed(self) -> Path:
        return self._filepath / "weights.safetensors"

    def load(self) -> "TrainedModel":
        from ae_pipelines.training.trained import TrainedModel

        return TrainedModel.load(self._filepath).where_trained()

    def save(self, data: "TrainedModel") -> None:
        data.save(self._filepath)

    def preview(self) -> JSONPreview:
        """The contract in the weights, which is the one that counts, for Kedro-Viz."""
        from safetensors import safe_open

        with safe_open(self._filepath / "weights.safetensors", framework="np") as file:
            return JSONPreview(file.metadata()["contract"])

    def _exists(self) -> bool:
        return all((self._filepath / name).exists() for name in ("weights.safetensors", "contract.json"))
