"""ONNX files with their contract as a Kedro dataset: save an `OnnxExport`, load what verifies it."""

from typing import TYPE_CHECKING

from kedro_datasets._typing import JSONPreview

from ae_pipelines.io.local import WritableDataset
from ae_pipelines.scoring.onnx.onnx_contract import CONTRACT

if TYPE_CHECKING:
    from ae_pipelines.scoring.onnx.saved import OnnxModels


class OnnxModelsDataset(WritableDataset):
    """A folder with `encoder.onnx`, `decoder.onnx`, `scorer.onnx`, as far as they exist, and `contract.json`."""

    def load(self) -> "OnnxModels":
        from ae_pipelines.scoring.onnx.saved import OnnxModels

        return OnnxModels.load(self._filepath)

    def preview(self) -> JSONPreview:
        """The contract, for Kedro-Viz."""
        return JSONPreview((self._filepath / CONTRACT).read_text(encoding="utf-8"))

    def _exists(self) -> bool:
        return (self._filepath / CONTRACT).exists()
