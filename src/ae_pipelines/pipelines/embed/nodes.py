"""The encoder is taken out, and every sample becomes a latent vector."""

from typing import Any

from ae_pipelines.latents import Latents, LatentStream
from ae_pipelines.samples import Samples

SHOWN = 12


def take_apart(autoencoder: Any) -> tuple[Any, Any]:
    """Encoder and decoder, each by itself."""
    return autoencoder.part("encoder"), autoencoder.part("decoder")


def embed(autoencoder: Any, samples: Samples) -> LatentStream:
    """A latent vector and reconstruction errors for every sample."""
    from ae_pipelines import export

    return export.latent_stream(autoencoder, samples)


def embed_by_pca(samples: Samples, autoencoder: Any) -> LatentStream:
    """The control: as many principal components as the autoencoder has latents."""
    from ae_pipelines import controls

    return controls.pca_stream(samples, autoencoder.contract.latent_size)


def measure(latents: Latents, pca_latents: Latents) -> dict[str, float]:
    """Mean reconstruction error of the test split, beside PCA's."""
    return {
        "reconstruction_error": latents.mean("reconstruction_error", "test"),
        "pca_reconstruction_error": pca_latents.mean("reconstruction_error", "test"),
        "rows": float(len(latents)),
        "latent_size": float(latents.size),
    }


def draw_reconstructions(autoencoder: Any, samples: Samples) -> Any:
    """Some test samples beside what the autoencoder makes of them."""
    from ae_pipelines import plots

    shown = samples.take(samples.rows("test")[:SHOWN])
    title = f"{samples.manifest.source}, {autoencoder.contract.recipe}: test samples and their reconstructions"
    return plots.reconstructions(shown * samples.spec.scale, autoencoder.reconstruct(shown), title)
