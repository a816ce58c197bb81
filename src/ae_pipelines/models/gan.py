"""The generative adversarial network."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import softplus

from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.conditions import joined, refuse_without_labels
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Method, of_vectors
from ae_pipelines.models.nets import NetChoice


@MODELS.register("gan")
class GAN(Method):
    """A generator (here the decoder) makes samples from normal noise; a discriminator tells them from real ones.

    Non-saturating loss (Goodfellow et al. 2014, section 3). With a conv net and batch norm it is a DCGAN (Radford
    et al. 2016). Conditional (Mirza & Osindero 2014): the generator's noise is joined with the label; the
    discriminator adds the score of the label, read off its last layer, to that of the sample (Miyato &
    Koyama 2018). There is no encoder.
    """

    generates = True
    takes_corruptions = False

    def __init__(
        self,
        task: Task,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        discriminator: NetChoice | None = None,
        latent_size: Annotated[int, Field(gt=0)] = 64,
        conditional: bool = False,
        weight_scale: Annotated[float, Field(gt=0)] | None = None,
    ) -> None:
        """`net` is the generator's, and the discriminator's unless that has its own. `weight_scale`: standard
        deviation of the normal initial weights (0.02 in Radford et al. 2016); None: torch's defaults."""
        super().__init__()
        if conditional:
            refuse_without_labels(task, "a conditional gan")
        self.conditional = self.wants_labels = conditional
        self._classes = len(task.classes) if conditional else 0
        self.latent_size = latent_size
        shape = task.samples.shape
        self.decoder = of_vectors(net, "gan").decoder(latent_size + self._classes, shape)
        self.discriminator = of_vectors(discriminator or net, "gan").encoder(shape, 1 + self._classes)
        self._bounded = task.samples.bounded
        if weight_scale is not None:
            self._draw_weights(weight_scale)

    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """(batch, *shape), in [0, 1] for images, from noise z (batch, latent_size)."""
        raw = self.decoder(joined(z, label, self._classes) if self._classes else z)
        return raw.sigmoid() if self._bounded else raw

    def phases(self) -> list[Phase]:
        players = [
            Player("discriminator", list(self.discriminator.parameters()), self._discriminator_terms),
            Player("generator", list(self.decoder.parameters()), self._generator_terms),
        ]
        return [Phase("fit", players, judged=False)]

    def _discriminator_terms(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            made = self._made_like(batch)
        return {
            "real": softplus(-self._score(batch.target, batch.label)).mean(),
            "made": softplus(self._score(made, batch.label)).mean(),
        }

    def _generator_terms(self, batch: Batch) -> dict[str, Tensor]:
        return {"fooling": softplus(-self._score(self._made_like(batch), batch.label)).mean()}

    def _made_like(self, batch: Batch) -> Tensor:
        """As many new samples as in the batch, with its labels."""
        noise = torch.randn(len(batch.target), self.latent_size, device=batch.target.device)
        return self.decode(noise, batch.label)

    def _score(self, x: Tensor, label: Tensor | None) -> Tensor:
        """How real x looks, (batch,), as a logit."""
        scores = self.discriminator(x)
        if label is None or not self._classes:
            return scores[:, 0]
        label_score = scores[:, 1:].gather(1, label.clamp_min(0)[:, None])[:, 0]
        return scores[:, 0] + label_score * (label >= 0)

    def _draw_weights(self, scale: float) -> None:
        for part in self.modules():
            if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and not _is_identity(part):
                nn.init.normal_(part.weight, 0.0, scale)


def _is_identity(part: nn.Module) -> bool:
    """Whether it is the last layer of a residual block as that starts: zero."""
    return isinstance(part, nn.Conv2d) and not part.weight.is_meta and not part.weight.any()
