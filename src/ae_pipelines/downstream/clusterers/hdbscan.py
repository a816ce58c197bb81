"""Dense regions, and noise between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping
from ae_pipelines.downstream.clusterers.by_neighbours import grouping


@CLUSTERERS.register("hdbscan")
@dataclass(frozen=True, kw_only=True)
class Hdbscan:
    """Groups as dense regions that persist over many densities (Campello, Moulavi & Sander 2013); rows outside are
    noise, group -1. Finds the number of groups. Measures `noise_share`. New rows join their neighbours' groups."""

    minimum_size: Annotated[int, Field(gt=1)] = 50
    """Rows in a group at least, counting those that are fitted."""
    neighbours: Annotated[int, Field(gt=0)] = 10
    """Number of neighbours over which density is measured; fewer make less noise."""
    most_rows = 20_000
    finds_number = True
    has_bic = False

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        from sklearn.cluster import HDBSCAN

        least = max(self.minimum_size, self.neighbours)
        if len(vectors) < least:
            raise InputError(f"{len(vectors)} latents cannot make groups of {least}: give a smaller minimum_size")
        model = HDBSCAN(min_cluster_size=self.minimum_size, min_samples=self.neighbours, copy=True)
        groups = model.fit_predict(vectors)
        yield grouping(vectors, groups, vectors, {"noise_share": float((groups < 0).mean())})
