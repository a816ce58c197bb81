"""Checks that latents, samples and a model belong together, row by row."""

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples


def refuse_other_samples(latents: Latents, samples: Samples) -> None:
    """`InputError` unless the latents are of these samples, row by row."""
    if (made_from := latents.metadata.get("samples_id")) != samples.id:
        raise InputError(
            f"the latents were made from the samples {made_from}, but {samples.folder} holds {samples.id}, so rows "
            "would belong to other samples: run ingest and embed again, and fit before embed if the samples are new",
            stages=("ingest", "embed"),
        )


def refuse_other_encoder(latents: Latents, model_sha256: str) -> None:
    """`InputError` unless the model whose contract has this sha256 made the latents."""
    if latents.encoder != model_sha256:
        raise InputError(
            f"the latents were made by the model {latents.encoder[:12]}, but the one at hand is {model_sha256[:12]}: "
            "run embed to make the latents again",
            stages=("embed",),
        )
