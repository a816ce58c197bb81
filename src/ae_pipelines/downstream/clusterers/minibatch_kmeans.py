"""Groups around means, faster."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

from ae_pipelines.downstream.clusterers import CLUSTERERS, Grouping, Restarts, lloyd
from ae_pipelines.downstream.clusterers.kmeans import grouping


@CLUSTERERS.register("minibatch_kmeans")
@dataclass(frozen=True, kw_only=True)
class MiniBatchKMeans:
    """KMeans whose means move after each batch (Sculley 2010): faster, groups slightly worse; measures `inertia`."""

    restarts: Restarts = 10
    """Number of starts only: the one that is best on one batch is used."""
    batch_size: Annotated[int, Field(gt=0)] = 4096
    most_rows = 200_000
    start_rows = 200_000
    finds_number = False
    has_bic = False

    def groupings(self, vectors: np.ndarray, numbers: Sequence[int], seed: int) -> Iterator[Grouping]:
        from sklearn import cluster

        for number in numbers:
            model = cluster.MiniBatchKMeans(number, n_init=self.restarts, batch_size=self.batch_size, random_state=seed)
            yield grouping(vectors, model.fit(vectors))

    def refined(self, found: Grouping, pieces: Iterable[np.ndarray]) -> Grouping:
        """After one step of Lloyd's over all rows, which does not depend on their order, as batches of a file would."""
        return lloyd.refined(found, pieces, 1)
