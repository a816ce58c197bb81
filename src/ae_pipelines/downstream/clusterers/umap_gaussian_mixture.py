"""Connected groups, whatever their shape."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping, Neighbours, Restarts
from ae_pipelines.downstream.clusterers.by_neighbours import grouping
from ae_pipelines.downstream.clusterers.gaussian_mixture import Regularisation, fitted_mixture
from ae_pipelines.downstream.manifold import umap_of


@CLUSTERERS.register("umap_gaussian_mixture")
@dataclass(frozen=True, kw_only=True)
class UmapGaussianMixture:
    """UMAP of the latents, which pulls loosely connected groups apart, and a mixture of normal distributions in it
    (McConville et al. 2021, N2D); measures `bic`. New rows join their neighbours' groups."""

    components: Annotated[int, Field(gt=1)] = 10
    """Dimensions of the layout."""
    neighbours: Neighbours = 20
    """Neighbours of each row that the layout keeps near."""
    restarts: Restarts = 5
    regularisation: Regularisation = 1e-4
    most_rows = 100_000
    finds_number = False
    has_bic = True

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        laid_out = umap_of(vectors, components=self.components, neighbours=self.neighbours, seed=seed)
        space = laid_out.astype(np.float64)
        for number in numbers:
            model = fitted_mixture(space, number, "full", self.restarts, self.regularisation, seed)
            yield grouping(vectors, model.predict(space), space, {"bic": float(model.bic(space))})
