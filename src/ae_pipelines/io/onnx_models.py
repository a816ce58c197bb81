"""ONNX files with their contract as a Kedro dataset: save an export, load what verifies it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset
from kedro_datasets._typing import JSONPreview

from ae_pipelines.onnx_export.contract import CONTRACT

if TYPE_CHECKING:
    from ae_pipelines.onnx_export.saved import OnnxExport, OnnxModels


class OnnxModelsDataset(AbstractDataset["OnnxExport", "OnnxModels"]):
    """A folder with `encoder.onnx`, `decoder.onnx`, `scorer.onnx`, as far as there are such, and `contract.json`."""

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> "OnnxModels":
        from ae_pipelines.onnx_export.saved import OnnxModels

        return OnnxModels.load(self._filepath)

    def save(self, data: "OnnxExport") -> None:
        data.into(self._filepath)

    def preview(self) -> JSONPreview:
        """The contract, for Kedro-Viz."""
        return JSONPreview((self._filepath / CONTRACT).read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return (self._filepath / CONTRACT).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath}
