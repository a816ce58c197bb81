"""What every model on latents knows about them."""

from dataclasses import dataclass
from typing import Any, Self

from ae_pipelines.base.content import content_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import Latents


@dataclass(frozen=True)
class EncodedBy:
    """The encoder whose latents a model was fitted on."""

    encoder: str
    """sha256 of the encoder."""
    latent_size: int

    @classmethod
    def of(cls, latents: Latents) -> Self:
        return cls(latents.encoder, latents.size)

    def refuse_other(self, latents: Latents, model: str, stage: str) -> None:
        """`InputError` unless these latents come from the same encoder; vectors of another one have another meaning."""
        if (latents.encoder, latents.size) != (self.encoder, self.latent_size):
            raise InputError(
                f"the {model} was fitted on {self.latent_size} latents of encoder {self.encoder[:12]}, but these are "
                f"{latents.size} of encoder {latents.encoder[:12]}: run {stage} again on these latents, or embed with "
                "the encoder that the model knows"
            )


def learned_sha256(*models: Any) -> str:
    """sha256 of what models have learned; without `EncodedBy`, which names the encoder with the run that made it."""
    return content_sha256(models, without=(EncodedBy,))
