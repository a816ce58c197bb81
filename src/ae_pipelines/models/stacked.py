"""Pretraining layer by layer."""

from functools import partial
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.autoencoder import Autoencoder
from ae_pipelines.models.batch import Batch, Corrupt, global_generator
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import Corruption, CorruptionChoice, corrupted_spec, one_after_another
from ae_pipelines.samples.spec import SampleSpec


@MODELS.register("stacked")
class Stacked(Autoencoder):
    """Each layer is first trained alone as an autoencoder of what the layers below give, then all of them
    together as one (Bengio et al. 2007; with noise on each layer's input Vincent et al. 2010).

    The first layer reproduces the target by `loss`, deeper ones their input by squared error; penalties count
    only in the training of the whole.
    """

    def __init__(
        self,
        task: Task,
        *,
        layer_epochs: Annotated[int, Field(gt=0)] | None = None,
        layer_corruptions: list[CorruptionChoice] = [],  # noqa: B006
        **options: Any,
    ) -> None:
        """Other `options` are those of an autoencoder. `layer_epochs`: epochs of each layer's training, None: as many
        as of the whole; `layer_corruptions`: done to the input of each layer but the first, whose input is the
        loader's, while that layer is trained."""
        if task.input_shape != task.samples.shape:
            raise InputError(
                f"stacked needs inputs of the samples' shape, but corruptions turn {task.samples.shape} into "
                f"{task.input_shape}: leave out downscale and greyscale, or use model.kind=autoencoder"
            )
        super().__init__(task, **options)
        self._layer_epochs = layer_epochs
        corruptions: list[Corruption] = [choice.build() for choice in layer_corruptions]
        self._refuse_misfits(task, corruptions)
        self._corrupt: Corrupt | None = one_after_another(corruptions)

    def phases(self) -> list[Phase]:
        stages = range(len(self.encoder))
        layers = [Phase(f"layer_{n + 1}", [self._layer(n)], epochs=self._layer_epochs) for n in stages]
        return [*layers, Phase("fine_tune", [Player("autoencoder", list(self.parameters()), self.terms)])]

    def _layer(self, number: int) -> Player:
        layer = nn.ModuleList(self._halves(number))
        return Player(f"layer_{number + 1}", list(layer.parameters()), partial(self._layer_terms, number))

    def _halves(self, number: int) -> tuple[nn.Module, nn.Module]:
        """A stage of the encoder, and the one of the decoder that undoes it."""
        return self.encoder[number], self.decoder[-1 - number]

    def _below(self, number: int, x: Tensor) -> Tensor:
        """The input of layer `number` for x; the layers below stay as they are, batch statistics too."""
        lower = self.encoder[:number].eval()
        with torch.no_grad():
            below = lower(x)
        lower.train(self.training and not self._frozen)
        return below

    def _refuse_misfits(self, task: Task, corruptions: list[Corruption]) -> None:
        """`InputError` if a corruption cannot take the input of some layer."""
        for number in range(1, len(self.encoder)):
            shape = tuple(self._below(number, torch.zeros(2, *task.input_shape)).shape[1:])
            hidden = SampleSpec(shape=shape, dtype="float32")
            if corrupted_spec(corruptions, hidden).shape != shape:
                raise InputError(
                    f"model.layer_corruptions change the shape of the input of layer {number + 1}, {shape}: give ones "
                    "that do not, such as masking or gaussian_noise"
                )

    def _layer_terms(self, number: int, batch: Batch) -> dict[str, Tensor]:
        down, up = self._halves(number)
        if number == 0:
            return {"reconstruction": self._loss(up(down(batch.input)), batch.target, self._output.bounded)}
        below = self._below(number, batch.target)
        corrupted = below if self._corrupt is None else self._corrupt(below, global_generator(below.device))
        return {"reconstruction": F.mse_loss(up(down(corrupted)), below)}
