"""A method with a teacher, for tests."""

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.models import Phase, Player
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Method, of_vectors
from ae_pipelines.models.nets import NetChoice
from ae_pipelines.models.teacher import follow, teacher_of


class SelfDistillation(Method):
    """The encoder learns to predict, from one view of a sample, what its slowly following copy makes of the other
    (Grill et al. 2020, BYOL)."""

    wants_second_view = True

    def __init__(
        self,
        task: Task,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        latent_size: Annotated[int, Field(gt=0)] = 32,
        momentum: Annotated[float, Field(ge=0, le=1)] = 0.99,
    ) -> None:
        """`momentum`: of the teacher at the start; it rises to 1."""
        super().__init__()
        self.latent_size, self._momentum = latent_size, momentum
        self.encoder = of_vectors(net, "self_distillation").encoder(task.input_shape, latent_size)
        self.projector = _two_layers(latent_size)
        self.predictor = _two_layers(latent_size)
        self.encoder_target, self.projector_target = teacher_of(self.encoder), teacher_of(self.projector)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def phases(self) -> list[Phase]:
        moved = [p for part in (self.encoder, self.projector, self.predictor) for p in part.parameters()]
        return [Phase("fit", [Player("student", moved, self._terms)])]

    def after_step(self, done: float) -> None:
        momentum = 1 - (1 - self._momentum) * (math.cos(math.pi * done) + 1) / 2
        follow(self.encoder_target, self.encoder, momentum)
        follow(self.projector_target, self.projector, momentum)

    def take_encoder(self, tensors: dict[str, Tensor]) -> None:
        super().take_encoder(tensors)
        self.encoder_target.load_state_dict(self.encoder.state_dict())

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        """2 - 2 cos(prediction, target), both ways, averaged over the batch (eq. 2)."""
        views = torch.cat([batch.input, batch.second])  # type: ignore[list-item]
        predicted = self.predictor(self.projector(self.encoder(views)))
        with torch.no_grad():
            target = self.projector_target(self.encoder_target(views))
        other = target.roll(len(batch.input), 0)
        return {"distance": (2 - 2 * F.cosine_similarity(predicted.float(), other.float())).mean()}


def _two_layers(size: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(size, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, size))
