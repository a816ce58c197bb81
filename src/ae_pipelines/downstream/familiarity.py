"""Whether an encoder was trained on data like these."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import intervals
from ae_pipelines.downstream.detection import calibration_rows, normal_rows
from ae_pipelines.latents.file import Latents

LOW, HIGH = 0.001, 0.999
"""Quantiles of the errors of held-out rows that bound the training range."""
FAMILIAR, UNFAMILIAR = 0.02, 0.5
"""Shares outside the range: data like the training's have 0.002; up to ten times that is like them, half is not."""
COLUMN = "reconstruction_error"


class RecogniseOptions(Options):
    """Which trained encoder other data are compared with."""

    trained: Path | None = None
    """The data folder (`data_dir`) of the run that trained it."""
    data_dir: Path
    """The data folder of this run."""

    def check(self) -> None:
        """`InputError` unless the trained encoder lies in another folder, so that this run's samples do not replace
        its own."""
        if self.trained is None:
            raise InputError(
                "recognise: no encoder was named: give as trained the data folder of the run that trained it",
                options={"recognise.trained": "<that folder>"},
            )
        if self.trained.resolve() == self.data_dir.resolve():
            raise InputError(
                f"recognise.trained and data_dir are the same folder, {self.data_dir}: the other data would replace "
                "the samples that the encoder was trained on. Give another data_dir",
                options={"data_dir": "..."},
            )


@dataclass(frozen=True)
class ErrorRange:
    """Range of the reconstruction errors of samples like those an encoder was trained on."""

    low: float
    high: float

    @classmethod
    def of(cls, latents: Latents) -> "ErrorRange":
        """From the 0.1 % to the 99.9 % quantile over normal train rows that the encoder has not learned from; over
        those that it has, where none were held out."""
        if COLUMN not in latents.names:
            raise InputError(
                f"the latents of the trained encoder have no {COLUMN} (a method without decoder, or "
                "embed.errors=false), so nothing can be said about other data: train a method with a decoder"
            )
        rows = calibration_rows(latents)
        return cls(*(float(bound) for bound in np.quantile(_errors(latents)[rows], (LOW, HIGH))))

    def outside(self, errors: np.ndarray) -> np.ndarray:
        """A bool for each error: whether it is outside the range."""
        return ~((errors >= self.low) & (errors <= self.high))


def familiarity(sample_ids: Any, errors: np.ndarray, known: ErrorRange) -> pd.DataFrame:
    """One row per sample: `sample_id`, its `reconstruction_error`, and whether that is `outside` the training range."""
    return pd.DataFrame({"sample_id": sample_ids, COLUMN: errors, "outside": known.outside(errors)})


def familiarity_metrics(found: Table, latents: Latents) -> dict[str, float]:
    """`share_outside` the training range, of these samples (with the bounds of its 95 % interval) and of the test split
    of the encoder's own data, and the range itself; errors are medians."""
    known, own = ErrorRange.of(latents), _own_errors(latents)
    outside = float(found["outside"].mean())
    return {
        "rows": float(len(found)),
        "share_outside": outside,
        **intervals.bounds("share_outside", intervals.proportion(outside, len(found))),
        "own_share_outside": float(known.outside(own).mean()),
        "error": float(found[COLUMN].median()),
        "own_error": float(np.median(own)),
        "range_low": known.low,
        "range_high": known.high,
    }


def verdict(metrics: dict[str, float]) -> str:
    """The verdict in plain words."""
    share = metrics["share_outside"]
    sentence = (
        "this encoder was trained on data like this"
        if share <= max(FAMILIAR, 2 * metrics["own_share_outside"])
        else "this encoder was not trained on data like this"
        if share >= UNFAMILIAR
        else "some of these samples are not like the data that this encoder was trained on"
    )
    return (
        f"{sentence}: {share:.1%} of them ({metrics['rows']:,.0f}: {metrics['share_outside_low']:.1%} to "
        f"{metrics['share_outside_high']:.1%}) are reconstructed with an error outside the training range, and "
        f"{metrics['own_share_outside']:.1%} of its own test samples (median error {metrics['error']:.3g}, and "
        f"{metrics['own_error']:.3g} of its own)"
    )


def errors_of_both(found: Table, latents: Latents) -> dict[str, np.ndarray]:
    """Reconstruction errors of the encoder's own test split and of these samples, by name of the group."""
    return {
        "its own test samples": _own_errors(latents),
        "these samples": found[COLUMN].to_numpy(),
    }


def _own_errors(latents: Latents) -> np.ndarray:
    """Errors of the test samples that are like those the encoder learned from."""
    return _errors(latents)[latents.in_split("test") & normal_rows(latents)]


def _errors(latents: Latents) -> np.ndarray:
    return latents.column(COLUMN).to_numpy(np.float32, na_value=np.nan)
