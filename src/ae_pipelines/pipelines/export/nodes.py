"""The encoder, and what stands on its latents, for use without this project."""

from typing import Any

from ae_pipelines.samples.store import Samples


def export(
    autoencoder: Any, cluster_model: Any, classifier: Any, anomaly_model: Any, samples: Samples
) -> tuple[Any, dict[str, float]]:
    """ONNX files, and how they differ from the models on real samples."""
    from ae_pipelines.scoring.onnx import exporting

    made = exporting.export_models(autoencoder, cluster_model, classifier, anomaly_model, samples)
    return made, exporting.export_metrics(made.contract)
