"""What `train` has fitted becomes one version of one registered model."""

from typing import Any

from ae_pipelines.base.run import Run
from ae_pipelines.base.skipped import Skipped, made
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.source import EncodedSource, Source
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.promotion import PromoteOptions


def assemble(
    autoencoder: Any,
    cluster_model: Any,
    classifier: Any,
    anomaly_model: Any,
    latents: Latents,
    samples: Samples,
    onnx_models: Any,
    run: Run,
    **metrics: dict[str, float] | Skipped,
) -> Any:
    """The models, their contract and what new rows are held against, to be saved together."""
    from ae_pipelines.scoring import model

    measured = {stage: found for stage, found in metrics.items() if not isinstance(found, Skipped)}
    by_stage = {f"{stage}/{name}": value for stage, found in measured.items() for name, value in found.items()}
    known = made(classifier, autoencoder.contract.sha256, "classify")
    models = (autoencoder, cluster_model, known, anomaly_model)
    return model.assembly(models, latents, samples, by_stage, onnx_models, run)


def register(
    source: Source | EncodedSource,
    scoring_model: Any,
    samples: Samples,
    model_registry: Any,
    options: PromoteOptions,
    run: Run,
) -> dict[str, Any]:
    """Which version it is, and whether it is the one that is used from now on."""
    model_registry.refuse_name_of_other(samples, source.name)
    return model_registry.register(scoring_model, options, run, samples)
