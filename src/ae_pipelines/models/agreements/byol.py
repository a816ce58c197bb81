"""One view predicts what a teacher makes of the other."""

import math
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models.agreements import AGREEMENTS, Agreement


@AGREEMENTS.register("byol")
@dataclass(frozen=True, kw_only=True)
class BYOL(Agreement):
    """2 - 2 cos(prediction, what the teacher projects the other view to), averaged over the batch (Grill et al. 2020,
    eq. 2); both directions are added."""

    teacher_momentum: Annotated[float, Field(ge=0, le=1)] = 0.996
    """At the start; it rises to 1 by half a cosine. A short training needs a lower one, such as 0.98."""
    predictor_width: Annotated[int, Field(gt=0)] = 4096
    judged = False

    def momentum(self, done: float) -> float:
        return 1 - (1 - self.teacher_momentum) * (math.cos(math.pi * done) + 1) / 2

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        return (2 - 2 * F.cosine_similarity(first, second, dim=1)).mean()
