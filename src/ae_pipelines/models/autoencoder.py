"""The plain autoencoder."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.batch import Batch, Loader, clean
from ae_pipelines.models.contract import Task
from ae_pipelines.models.losses import LossChoice
from ae_pipelines.models.map_vectors import MapVectors
from ae_pipelines.models.method import Method
from ae_pipelines.models.nets import NetChoice
from ae_pipelines.models.output import Output, OutputKind
from ae_pipelines.models.penalties import Penalty, PenaltyChoice

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
        output: OutputKind = "sigmoid",
        vector_size: Annotated[int, Field(gt=0)] = 64,
    ) -> None:
        """`output`: for images a sigmoid, or linear and clipped to [0, 1] in `decode`; samples that are not images
        always have a linear output. `vector_size`: principal components of a feature map that are its vector; under a
        penalty with a layout, which places the mean over positions, its vector is that."""
        super().__init__()
        self.latent_size = latent_size
        family = net.build()
        self.encoder, self.decoder = family.pair(task.input_shape, latent_size, task.samples.shape)
        self.encoder[-1].append(LATENT_ACTIVATIONS[latent_activation]())
        self._loss = loss.build()
        self._output = Output.of(task.samples, output)
        kinds = [choice.kind for choice in penalties]
        if len(set(kinds)) < len(kinds):
            raise InputError(f"model.penalties has one kind twice: {', '.join(kinds)}; give each once")
        self._penalties: dict[str, Penalty] = {choice.kind: choice.build() for choice in penalties}
        self.may_copy = not penalties and not any(isinstance(part, nn.Dropout) for part in self.modules())
        self.wants_layout = next((p.layout for p in self._penalties.values() if p.layout is not None), None)
        self._input_shape = task.input_shape
        if family.latent == "map" and self.wants_layout is None:
            self.encoder[-1].append(MapVectors(vector_size))
        for kind, penalty in self._penalties.items():
            if penalty.needs_unit_latents and latent_activation != "sigmoid":
                raise InputError(
                    f"{kind} needs latents between 0 and 1, but model.latent_activation is {latent_activation!r}: "
                    "give 'sigmoid'"
                )
            if penalty.layout is not None and latent_activation != "none":
                raise InputError(
                    f"{kind} needs latents without bounds, but model.latent_activation is {latent_activation!r}: give "
                    "'none'"
                )
            if penalty.layout is not None and penalty.layout.components > latent_size:
                raise InputError(
                    f"{kind} needs {penalty.layout.components} latents, but model.latent_size is {latent_size}: give "
                    "as many, or fewer components"
                )

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def vectors(self, z: Tensor) -> Tensor:
        of_maps = self._map_vectors
        return super().vectors(z) if of_maps is None else of_maps.vectors(z)

    def complete(self, train: Loader) -> None:
        """A feature map becomes a vector by its principal components over train samples, uncorrupted where they have
        the shape that the encoder takes. Those of a frozen encoder stay."""
        of_maps = self._map_vectors
        if of_maps is not None and not (self._frozen and of_maps.has_learned):
            of_maps.learn(self.encode(clean(batch, self._input_shape)) for batch in train.epoch(0))

    @property
    def completes(self) -> bool:
        return self._map_vectors is not None

    @property
    def _map_vectors(self) -> MapVectors | None:
        last = self.encoder[-1][-1]
        return last if isinstance(last, MapVectors) else None

    def decode(self, z: Tensor) -> Tensor:
        """(batch, *shape), in [0, 1] for images."""
        return self._output(self.decoder(z))

    def phases(self) -> list[Phase]:
        return [Phase("fit", [Player("autoencoder", list(self.parameters()), self.terms)])]

    def terms(self, batch: Batch) -> dict[str, Tensor]:
        """Reconstruction of the target, and each penalty; one that needs a layout only where the batch has one, which
        is in training."""
        if self._penalties:
            batch = replace(batch, input=batch.input.detach().requires_grad_())
        z = self.encoder(batch.input)
        terms = {"reconstruction": self._loss(self.decoder(z), batch.target, self._output.bounded)}
        for kind, penalty in self._penalties.items():
            if penalty.layout is None or batch.layout is not None:
                terms[kind] = penalty(self.encoder, batch, z)
        return terms
