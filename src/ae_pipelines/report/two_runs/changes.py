"""What two runs make of the samples that they have in common."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.latents.labels import Labels
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
    def classes(self) -> tuple[Labels, Labels] | None:
        """Predicted labels, as numbers of the same names."""
        if self.here.predictions is None or self.there.predictions is None:
            return None
        ours, theirs = (Labels.in_column(side, "predicted") for side in (self.here.predictions, self.there.predictions))
        names = np.union1d(ours.names, theirs.names)
        return ours.by(names).take(self.matched.here), theirs.by(names).take(self.matched.there)

    @cached_property
    def anomalies(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Whether a sample is odd."""
        if self.here.anomalies is None or self.there.anomalies is None:
            return None
        return self._pair("anomalies", "anomaly")

    @cached_property
    def labels(self) -> Labels:
        """Label of each sample in this run."""
        return self.here.latents.labels.take(self.matched.here)

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
            ours, theirs = (side[place] for side in self.groups)
            names = np.array([self.group_name(one) for one in theirs], object)
            yield category("other_group", "Group in the other run", _where(place, names), hover=True)
            yield category("moved", "Group changed", _where(place, _yes(ours != theirs)))
        if self.classes is not None:
            said, other_said = (side.take(place) for side in self.classes)
            yield category(
                "other_predicted", "Predicted label in the other run", _where(place, other_said[:]), hover=True
            )
            yield category(
                "reclassified", "Predicted label changed", _where(place, _yes(said.codes != other_said.codes))
            )
        if self.anomalies is not None:
            yield category("odd", "Odd", _where(place, where_odd(*(side[place] for side in self.anomalies))))
        if ERROR in self.here.latents.names and ERROR in self.there.latents.names:
            errors = self.there.latents.take(self.matched.there[place])[ERROR].to_numpy(np.float64)
            yield number(
                "other_error", "Reconstruction error in the other run", _where(place, errors, np.nan), hover=True
            )


def where_odd(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """In which of the runs each sample is odd, in words."""
    return np.array([NEITHER, HERE, THERE, BOTH], object)[ours.astype(int) + 2 * theirs.astype(int)]


def _where(place: np.ndarray, values: np.ndarray, missing: Any = "") -> np.ndarray:
    """Values at places among samples of both; `missing` at -1, where a sample is in one run only."""
    return np.where(place >= 0, values, missing)


def _yes(changed: np.ndarray) -> np.ndarray:
    return np.where(changed, "yes", "no").astype(object)
