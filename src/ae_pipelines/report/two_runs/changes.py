"""What two runs make of the samples that they have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.report.page_data.fields import Field, category, number
from ae_pipelines.report.results import Results
from ae_pipelines.report.two_runs.matching import NOISE, UNMATCHED, Matched, matched_groups

ERROR = "reconstruction_error"
NEITHER, HERE, THERE, BOTH = "in neither", "only in this run", "only in the other run", "in both runs"
"""Where a sample is odd."""


@dataclass
class Changes:
    """What is compared sample by sample; a part is None where one of the runs does not have it.

    Pairs are what this run and the other one say of each sample that is in both, in the order of `matched`.
    """

    here: Results
    there: Results
    matched: Matched

    @cached_property
    def groups(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Groups of both, under this run's numbers."""
        if self.here.clusters is None or self.there.clusters is None:
            return None
        ours, theirs = self._pair("clusters", "cluster")
        return ours, pd.Series(theirs).map(self.goes_with).to_numpy()

    @cached_property
    def classes(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Predicted labels."""
        if self.here.predictions is None or self.there.predictions is None:
            return None
        return self._pair("predictions", "predicted")

    @cached_property
    def anomalies(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Whether a sample is odd."""
        if self.here.anomalies is None or self.there.anomalies is None:
            return None
        return self._pair("anomalies", "anomaly")

    @cached_property
    def labels(self) -> np.ndarray:
        """Label of each sample in this run; empty where unknown."""
        return self.here.latents.labels[self.matched.here]

    def _pair(self, table: str, column: str) -> tuple[np.ndarray, np.ndarray]:
        ours, theirs = (getattr(side, table)[column].to_numpy() for side in (self.here, self.there))
        return ours[self.matched.here], theirs[self.matched.there]

    # -- groups have numbers that mean nothing from run to run -------------------------------------------------

    @cached_property
    def goes_with(self) -> dict[int, int]:
        """The group of this run that each group of the other run goes with, or a number for it alone."""
        return matched_groups(*self._pair("clusters", "cluster"))

    @cached_property
    def unmatched(self) -> dict[int, int]:
        """The other run's own number of each group that goes with none here."""
        return {number: group for group, number in self.goes_with.items() if number <= UNMATCHED}

    def group_name(self, group: int) -> str:
        """A group under this run's number."""
        if group == NOISE:
            return "noise"
        return f"{self.unmatched[group]} (only there)" if group <= UNMATCHED else str(group)

    # -- as fields of the maps ---------------------------------------------------------------------------------

    def fields(self, rows: np.ndarray) -> Iterator[Field]:
        """What the other run says of the samples in these rows of this run, and what of it differs."""
        place = pd.Index(self.matched.here).get_indexer(rows)
        if self.groups is not None:
            ours, theirs = (np.array([self.group_name(one) for one in side], object) for side in self.groups)
            yield category("other_group", "Group in the other run", _at(theirs, place), hover=True)
            yield category("moved", "Group changed", _at(_yes(ours != theirs), place))
        if self.classes is not None:
            ours, theirs = self.classes
            yield category("other_predicted", "Predicted label in the other run", _at(theirs, place), hover=True)
            yield category("reclassified", "Predicted label changed", _at(_yes(ours != theirs), place))
        if self.anomalies is not None:
            yield category("odd", "Odd", _at(where_odd(*self.anomalies), place))
        if ERROR in self.here.latents.names and ERROR in self.there.latents.names:
            errors = self.there.latents.column(ERROR).to_numpy(np.float64)[self.matched.there]
            yield number("other_error", "Reconstruction error in the other run", _at(errors, place, np.nan), hover=True)


def where_odd(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """In which of the runs each sample is odd, in words."""
    return np.array([NEITHER, HERE, THERE, BOTH], object)[ours.astype(int) + 2 * theirs.astype(int)]


def _at(values: np.ndarray, place: np.ndarray, missing: Any = "") -> np.ndarray:
    """Values of samples of both, for places among these, -1 where a sample is in one run only."""
    return np.where(place >= 0, values[place], missing)


def _yes(changed: np.ndarray) -> np.ndarray:
    return np.where(changed, "yes", "no").astype(object)
