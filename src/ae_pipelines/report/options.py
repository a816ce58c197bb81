"""What goes into a report."""

from typing import Annotated

from pydantic import Field

from ae_pipelines.base.options import Options
from ae_pipelines.downstream.plane import LayoutName


class ReportOptions(Options):
    """What the page shows, and how large it may become."""

    samples: Annotated[int, Field(gt=0)] = 70_000
    """Most points on the map; of more samples it shows as many, picked at random."""
    layouts: Annotated[tuple[LayoutName, ...], Field(min_length=1)] = ("umap", "tsne", "pca")
    """How latents are laid out in the plane; the first is shown first. pca takes no time, others seconds to minutes."""
    max_bytes: Annotated[int, Field(ge=500_000)] = 10_000_000
    """Most bytes of the page: thumbnails become smaller and plainer, then fewer points are shown, until it fits."""
    seed: Annotated[int, Field(ge=0)] = 0
