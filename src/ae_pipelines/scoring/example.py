"""One sample of a training as someone would send it who knows nothing of stores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.samples.store import Samples
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.treatments import is_mixed
from ae_pipelines.scoring import raw

LARGEST = 50_000
"""Numbers of a sample that are shown; as text they are some 200 kB."""
DIGITS = 7
"""Significant ones of float32."""
NEAR = 1e-3


def raw_example(samples: Samples) -> np.ndarray | pd.DataFrame | None:
    """The first sample, before it was standardised: an array (1, *shape), or a row with named columns.

    None where it is too large to be shown, or cannot be told from what is stored.
    """
    spec = samples.spec
    if np.prod(spec.shape) > LARGEST:
        return None
    held = samples.take(np.array([0]))
    if spec.bounded:
        return held
    example = _row(held[0], spec.preprocessing) if is_mixed(spec.preprocessing) else _numbers(held, spec)
    same = np.allclose(raw.stored(example, spec), held, rtol=NEAR, atol=NEAR)
    return example if same else None


def _numbers(held: np.ndarray, spec: SampleSpec) -> np.ndarray | pd.DataFrame:
    """The reverse of `Standardisation.apply`."""
    done = Standardisation.recorded(spec.preprocessing) or Standardisation.none(1)
    shape = (-1, *[1] * (held.ndim - 2))
    values = held * done.standard_deviation.reshape(shape) + done.mean.reshape(shape)
    rounded = np.vectorize(_rounded)(values.astype(np.float64))
    names = spec.preprocessing.get("columns")
    return rounded if names is None else pd.DataFrame(rounded, columns=names)


def _row(held: np.ndarray, preprocessing: Mapping[str, Any]) -> pd.DataFrame:
    """The reverse of `features.features`, for one row (features,)."""
    treatments = preprocessing["treatments"]
    ends = np.cumsum([features.width(one) for one in treatments])
    parts = np.split(held.astype(np.float64), ends[:-1])
    return pd.DataFrame({str(one["column"]): [_value(part, one)] for part, one in zip(parts, treatments, strict=True)})


def _value(part: np.ndarray, treatment: features.Treatment) -> Any:
    """What a column held, by its features; None where it held nothing, or nothing is known of it."""
    if treatment["type"] == "category":
        names = [*treatment["levels"], *list(treatment["rare"])[:1]]
        return (names[int(part.argmax())] if len(part) else "") or None
    if "mean" not in treatment or (treatment["indicator"] and part[-1] > 0.5):
        return None
    number = part[0] * treatment["standard_deviation"] + treatment["mean"]
    if (known := treatment.get("quantiles")) is not None:
        number = np.interp(number, np.linspace(0, 1, len(known)), known)
    if treatment["type"] == "date":
        return str(np.datetime64(round((number + treatment["earliest"]) * 86_400), "s"))
    return bool(round(number)) if treatment["type"] == "boolean" else _rounded(number)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
