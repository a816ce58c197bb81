"""The plain autoencoder."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.batches import Batch
from ae_pipelines.contract import Task
from ae_pipelines.errors import InputError
from ae_pipelines.losses import LossChoice
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.method import Method
from ae_pipelines.nets import NetChoice
from ae_pipelines.penalties import Penalty, PenaltyChoice

LatentActivation = Literal["none", "sigmoid", "tanh", "relu"]
LATENT_ACTIVATIONS = {"none": nn.Identity, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "relu": nn.ReLU}


@MODELS.register("autoencoder")
class Autoencoder(Method):
    """Encoder and decoder trained together to reproduce the target (Hinton & Salakhutdinov 2006).

    With a corruption in the loader this is a denoising autoencoder (Vincent et al. 2008); with a penalty a
    sparse (Ng 2011) or contractive one (Rifai et al. 2011).
    """

    def __init__(
        self,
        task: Task,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        latent_size: Annotated[int, Field(gt=0)] = 32,
        latent_activation: LatentActivation = "none",
        loss: LossChoice = LossChoice(kind="mse"),  # noqa: B008
        penalties: list[PenaltyChoice] = [],  # noqa: B006
    ) -> None:
        super().__init__()
        self.latent_size = latent_size
        self.encoder, self.decoder = net.build().pair(task.input_shape, latent_size, task.samples.shape)
        self.encoder[-1].append(LATENT_ACTIVATIONS[latent_activation]())
        self._loss = loss.build()
        self._bounded = task.samples.bounded
        kinds = [choice.kind for choice in penalties]
        if len(set(kinds)) < len(kinds):
            raise InputError(f"model.penalties has one kind twice: {', '.join(kinds)}; give each once")
        self._penalties: dict[str, Penalty] = {choice.kind: choice.build() for choice in penalties}
        self.may_copy = not penalties and not any(isinstance(part, nn.Dropout) for part in self.modules())
        for kind, penalty in self._penalties.items():
            if penalty.needs_unit_latents and latent_activation != "sigmoid":
                raise InputError(
                    f"{kind} needs latents between 0 and 1, but model.latent_activation is {latent_activation!r}: "
                    "give 'sigmoid'"
                )

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def decode(self, z: Tensor) -> Tensor:
        """(batch, *shape), in [0, 1] for images."""
        raw = self.decoder(z)
        return raw.sigmoid() if self._bounded else raw

    def phases(self) -> list[Phase]:
        return [Phase("fit", [Player("autoencoder", list(self.parameters()), self.terms)])]

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction of the target, and each penalty."""
        x = batch.input.detach().requires_grad_() if self._penalties else batch.input
        z = self.encoder(x)
        terms = {"reconstruction": self._loss(self.decoder(z), batch.target, self._bounded)}
        return terms | {kind: penalty(self.encoder, x, z) for kind, penalty in self._penalties.items()}
