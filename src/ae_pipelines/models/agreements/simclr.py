"""Views of one sample nearer to each other than to all others."""

from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models.agreements import AGREEMENTS, Agreement


@AGREEMENTS.register("simclr")
@dataclass(frozen=True, kw_only=True)
class SimCLR(Agreement):
    """NT-Xent in nats (Chen et al. 2020, eq. 1): which of the 2n - 1 other views shows the same sample? Cross-entropy
    of a softmax over cosine similarities ÷ `temperature`, averaged over all 2n views."""

    temperature: Annotated[float, Field(gt=0)] = 0.5
    """0.5 is the paper's for CIFAR-10 (appendix B.9), 0.1 its for ImageNet."""

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        views = F.normalize(torch.cat([first, second]), dim=1)  # (2n, width)
        similarity = views @ views.T / self.temperature
        similarity = similarity.masked_fill(torch.eye(len(views), dtype=torch.bool, device=views.device), -torch.inf)
        partner = torch.arange(len(views), device=views.device).roll(len(first))
        return F.cross_entropy(similarity, partner)
