"""The encoder is taken out, and every sample becomes a latent vector."""

from dataclasses import replace
from typing import Any

from ae_pipelines.latents.file import Latents
from ae_pipelines.latents.stream import LatentStream
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import EmbedOptions


def take_apart(autoencoder: Any) -> tuple[Any, Any]:
    """Encoder and decoder, each by itself."""
    return autoencoder.part("encoder"), autoencoder.part("decoder")


def embed(autoencoder: Any, samples: Samples, options: EmbedOptions) -> LatentStream:
    """A latent vector and reconstruction errors for every sample."""
    from ae_pipelines.training import embedding

    stream = embedding.latent_stream(autoencoder, samples, options.errors)
    return replace(stream, rows_per_file=options.rows_per_file)


def embed_by_pca(samples: Samples, autoencoder: Any, options: EmbedOptions) -> LatentStream:
    """The control: as many principal components as the autoencoder has latents."""
    from ae_pipelines.latents.pca import pca_stream

    contract = autoencoder.contract
    stream = pca_stream(samples, contract.latent_size, contract.learned_from)
    return replace(stream, rows_per_file=options.rows_per_file)


def measure(latents: Latents, pca_latents: Latents) -> dict[str, float]:
    """Mean reconstruction errors of the test split, where there are any, beside PCA's."""
    errors = latents.errors("test")
    control = {f"pca_{name}": error for name, error in pca_latents.errors("test").items() if name in errors}
    return errors | control | {"rows": float(len(latents)), "latent_size": float(latents.size)}
