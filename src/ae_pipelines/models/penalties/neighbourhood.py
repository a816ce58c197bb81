"""Latents that keep neighbours together."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast

from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.downstream.layout import LayoutOptions
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.penalties import PENALTIES, Penalty, Weight


@PENALTIES.register("neighbourhood")
@dataclass(frozen=True, kw_only=True)
class Neighbourhood(Penalty):
    """(z - u)², averaged over the first `components` latents and over the batch: u is where a UMAP of the train
    samples puts the sample (for maps, z is the mean over positions).

    So the encoder learns to place samples that UMAP has never seen. Sainburg, McInnes & Gentner 2021 train an
    encoder on UMAP's own loss; departure: the distance to a finished layout, which needs far fewer steps.
    """

    weight: Weight
    components: Annotated[int, Field(gt=0)] = 10
    """Dimensions of the layout; the other latents are free for what reconstruction needs."""
    neighbours: Annotated[int, Field(gt=1)] = 20
    """How many neighbours UMAP keeps near each sample."""
    principal_components: Annotated[int, Field(gt=0)] = 50
    """How many components of the samples are used to find neighbours."""
    latents: Path | None = None
    """A latents file that another encoder made of the same samples; its vectors are used to find neighbours
    instead."""

    @property
    def layout(self) -> LayoutOptions:
        return LayoutOptions(
            components=self.components,
            neighbours=self.neighbours,
            principal_components=self.principal_components,
            latents=self.latents,
        )

    def __call__(self, encoder: nn.Module, batch: Batch, z: Tensor) -> Tensor:
        z = z.flatten(2).mean(2) if z.ndim == 4 else z
        return self.weight * F.mse_loss(z[:, : self.components].float(), cast(Tensor, batch.layout))
