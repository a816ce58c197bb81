"""The plain autoencoder."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.batches import Batch
from ae_pipelines.contract import SampleSpec
from ae_pipelines.losses import LossChoice
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.nets import NetChoice


@MODELS.register("autoencoder")
class Autoencoder(nn.Module):
    """Encoder and decoder trained together to reproduce the target (Hinton & Salakhutdinov 2006).

    With a corruption in the loader this is a denoising autoencoder (Vincent et al. 2008).
    """

    def __init__(
        self,
        samples: SampleSpec,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        latent_size: Annotated[int, Field(gt=0)] = 32,
        loss: LossChoice = LossChoice(kind="mse"),  # noqa: B008
    ) -> None:
        super().__init__()
        family = net.build()
        self.latent_size = latent_size
        self.encoder: nn.Module = family.encoder(samples.shape, latent_size)
        self.decoder: nn.Module = family.decoder(latent_size, samples.shape)
        self._loss = loss.build()
        self._bounded = samples.bounded

    def encode(self, x: Tensor) -> Tensor:
        """(batch, *shape) → (batch, latent_size)"""
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(batch, latent_size) → (batch, *shape), in [0, 1] for images"""
        raw = self.decoder(z)
        return raw.sigmoid() if self._bounded else raw

    def phases(self) -> list[Phase]:
        return [Phase("fit", [Player("autoencoder", list(self.parameters()), self._terms)])]

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        raw = self.decoder(self.encoder(batch.input))
        return {"reconstruction": self._loss(raw, batch.target, self._bounded)}
