"""The encoder, and what stands on its latents, for use without this project."""

from typing import Any

from ae_pipelines.base.skipped import made
from ae_pipelines.samples.store import Samples


def export(
    autoencoder: Any, cluster_model: Any, classifier: Any, anomaly_model: Any, samples: Samples
) -> tuple[Any, dict[str, float]]:
    """ONNX files, and how they differ from the models on real samples."""
    from ae_pipelines.scoring.onnx import exporting

    known = made(classifier, autoencoder.contract.sha256, "classify")
    files = exporting.export_models(autoencoder, cluster_model, known, anomaly_model, samples)
    return files, exporting.export_metrics(files.contract)
