"""Two views of a sample that agree."""

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.agreements import Agreement, AgreementChoice
from ae_pipelines.models.batch import Batch, Loader, clean, first_batches
from ae_pipelines.models.contract import Task
from ae_pipelines.models.directions import pca
from ae_pipelines.models.losses import LossChoice
from ae_pipelines.models.method import Method, of_vectors
from ae_pipelines.models.moments import Moments
from ae_pipelines.models.nets import NetChoice
from ae_pipelines.models.output import Output, OutputKind
from ae_pipelines.models.projector import WIDTHS, Width, perceptron
from ae_pipelines.models.teacher import follow, teacher_of
from ae_pipelines.models.two_views import refuse_single, view_auroc

SAMPLES = 20_000
"""Samples from which principal components are found, at most."""

FLOOR = 1e-6
"""Variance of a component, as a share of the largest, below which there is only rounding: it is left at 0."""


@MODELS.register("views")
class Views(Method):
    """Learns from two corruptions of each sample, its views, and no labels: a projection of their latents agrees, and
    those of other samples differ (Chen et al. 2020, SimCLR, and what followed it).

    With `reconstruction` there is a decoder, too, so that the same latent can be turned into a sample again.
    """

    wants_second_view = True
    needs_spread = True
    learns_in_bfloat16 = True
    least_spread = 1e-3  # digits: 0.1 to 0.6 after trainings that went well, 2e-7 to 2e-4 with nothing to keep it up
    if_collapsed = (
        "Give a lower training.learning_rate, a larger loader.batch_size, or a model.loss that keeps them apart, such "
        "as simclr, or vicreg with its own weights; byol needs a teacher_momentum near 1"
    )
    needs_option = {"decode": "reconstruction"}

    def __init__(
        self,
        task: Task,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        latent_size: Annotated[int, Field(gt=0)] = 64,
        features: Annotated[int, Field(gt=0)] | None = None,
        projector: Annotated[list[Width], Field(min_length=1)] = WIDTHS,
        loss: AgreementChoice = AgreementChoice(kind="simclr"),  # noqa: B008
        reconstruction: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None,
        reconstruction_loss: LossChoice = LossChoice(kind="mse"),  # noqa: B008
        rebuilt_from: Literal["sample", "view"] = "sample",
        output: OutputKind = "sigmoid",
    ) -> None:
        """`features`: how many numbers the encoder learns; latents are their principal components, more alike in
        variance and of unit length, found when training is over. None: latents themselves are learned. `projector`:
        widths of the layers between these and the loss. `reconstruction`: weight of the decoder's loss; None: no
        decoder. `rebuilt_from`: clean samples are rebuilt from the latents of half of them (`sample`), or from those of
        first views, which suits a model that is to undo its corruptions (`view`)."""
        super().__init__()
        self.latent_size = latent_size
        family = of_vectors(net, "views")
        self._reconstruction, self._output = reconstruction, Output.of(task.samples, output)
        self._shape = task.input_shape
        self.encoder: nn.Module
        if features is not None:
            _refuse_features(features, latent_size, reconstruction)
            self.encoder = Reduced(family.encoder(task.input_shape, features), features, latent_size)
        elif reconstruction is None:
            self.encoder = family.encoder(task.input_shape, latent_size)
        else:
            self.encoder, self.decoder = family.pair(task.input_shape, latent_size, task.samples.shape)
            self._loss = reconstruction_loss.build()
            self._from_samples = rebuilt_from == "sample" and task.input_shape == task.samples.shape
            self.decode = self._decode
        self.projector = perceptron(features or latent_size, projector)
        self._agreement: Agreement = loss.build()
        self._name = loss.kind
        self._taught = self._agreement.predictor_width is not None
        if self._agreement.predictor_width is not None:
            self.predictor = perceptron(projector[-1], [self._agreement.predictor_width, projector[-1]])
            self.teacher = teacher_of(nn.Sequential(self._learning, self.projector))

    @property
    def _learning(self) -> nn.Module:
        """What gradients move in the encoder."""
        return self.encoder.net if isinstance(self.encoder, Reduced) else self.encoder

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def complete(self, train: Loader) -> None:
        if isinstance(self.encoder, Reduced) and not self._frozen:
            self.encoder.learn(clean(batch, self._shape) for batch in first_batches(train, SAMPLES))

    def compared(self, x: Tensor) -> Tensor:
        return F.normalize(self.projector(self._learning(x)), dim=1)

    def _decode(self, z: Tensor) -> Tensor:
        """(batch, *shape), in [0, 1] for images."""
        return self._output(self.decoder(z))

    def phases(self) -> list[Phase]:
        moved = [p for name, part in self.named_children() if name != "teacher" for p in part.parameters()]
        player = Player("views", list(dict.fromkeys(moved)), self._terms)  # halves may share weights
        return [Phase("fit", [player], judged=self._agreement.judged)]

    def after_step(self, done: float) -> None:
        if self._taught:
            follow(self.teacher, nn.Sequential(self._learning, self.projector), self._agreement.momentum(done))

    def take_encoder(self, tensors: dict[str, Tensor]) -> None:
        super().take_encoder(tensors)
        if self._taught:
            self.teacher[0].load_state_dict(self._learning.state_dict())

    def train(self, mode: bool = True) -> "Views":
        super().train(mode)
        if self._frozen and self._taught:
            self.teacher[0].eval()
        return self

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        """The agreement, averaged over the batch, and the weighted reconstruction of clean samples."""
        count = len(batch.input)
        refuse_single(self, batch, "views")
        views = batch.views
        if self._reconstruction is None:
            return {self._name: self._agreed(views, self.projector(self._learning(views)))}
        samples = batch.target[: (count + 1) // 2] if self._from_samples else views[:0]
        z, of_samples = self._encoded(views, samples)
        latents, target = (of_samples, samples) if self._from_samples else (z[:count], batch.target)
        rebuilt = self._loss(self.decoder(latents), target, self._output.bounded)
        return {self._name: self._agreed(views, self.projector(z)), "reconstruction": self._reconstruction * rebuilt}

    def _encoded(self, views: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Latents of both: at once, so that batch norm has one idea of them, unless views are smaller."""
        if views.shape[1:] != samples.shape[1:]:
            return self.encoder(views), self.encoder(samples)
        z = self.encoder(torch.cat([views, samples]))
        return z[: len(views)], z[len(views) :]

    def _agreed(self, views: Tensor, projected: Tensor) -> Tensor:
        """In float32: in bfloat16 a similarity or a variance is mostly rounding."""
        first, second = projected.float().chunk(2)
        if not self._taught:
            with torch.autocast(views.device.type, enabled=False):
                return self._agreement(first, second)
        with torch.no_grad():
            expected_of_first, expected_of_second = self.teacher(views).float().chunk(2)
        first, second = self.predictor(projected).float().chunk(2)
        return self._agreement(first, expected_of_second) + self._agreement(second, expected_of_first)

    def measures(self, test: Loader) -> dict[str, float]:
        return view_auroc(self, test)


class Reduced(nn.Module):
    """The principal components of what a net gives (batch, features), each divided by the root of its deviation, and
    all of them then brought to unit length.

    Views are compared by the angle between their projections, and the first components have most of the variance, but
    not as much more to say. Before components are learned they are the first features.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, net: nn.Module, features: int, latent_size: int) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("directions", torch.eye(features, latent_size))

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize((self.net(x) - self.mean) @ self.directions, dim=1)

    def learn(self, samples: Iterator[Tensor]) -> None:
        """From batches of clean samples."""
        moments = Moments(len(self.mean))
        for x in samples:
            moments.add(self.net(x).cpu().double())  # means may be far larger than deviations
        directions = pca(moments, self.directions.shape[1])
        variances = torch.einsum("fd,fg,gd->d", directions, moments.covariance, directions)
        found = variances > FLOOR * variances.max()
        self.mean.copy_(moments.mean)
        self.directions.copy_(directions * torch.where(found, variances, torch.inf) ** -0.25)


def _refuse_features(features: int, latent_size: int, reconstruction: float | None) -> None:
    if features < latent_size:
        raise InputError(
            f"{features} features have no {latent_size} principal components: give model.features of at least "
            "model.latent_size, or none"
        )
    if reconstruction is not None:
        raise InputError(
            "a decoder learns from latents, but with model.features these are found when training is over: leave out "
            "model.features or model.reconstruction"
        )
