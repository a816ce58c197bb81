"""Raw samples, from someone who knows nothing of stores, through the models: one record each."""

import base64
import binascii
import logging
import math
from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import TOO_LARGE, stored_of
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.treatments import in_words, is_mixed
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.scoring_contract import magnitudes
from ae_pipelines.training import embedding

log = logging.getLogger(__name__)

DECODING = Lock()
"""Decoding sets Pillow's limits and Python's warnings, which are shared by the whole process."""


def scored_raw(models: ScoringModel, data: Any) -> list[dict[str, Any]]:
    """Each sample's latent and what the models answer for it, as plain numbers and text; None for what is not a
    number, such as the distance of noise to its centre.

    `data`: numbers of shape (n, *shape), images as whole numbers from 0 to 255 (or 65535), tables before
    standardisation; base64 text of n image files, where samples are images; or a data frame, a mapping of columns or a
    list of records, whose columns are then taken by name, as they must be where they are of several types.
    `InputError` if they are anything else.
    """
    values = stored(data, models.contract.samples)
    models.contract.refuse_other_scale(magnitudes(values))
    size = embedding.ROWS_PER_PASS
    parts = (values[start : start + size] for start in range(0, len(values), size))
    return [record for part in parts for record in _records(models, part)]


def stored(data: Any, spec: SampleSpec) -> np.ndarray:
    """Raw samples as a store of `spec` holds them, (n, *shape)."""
    if is_mixed(spec.preprocessing):
        return _features(data, spec)
    values = _values(data, spec)
    if not len(values):
        raise InputError(f"given no samples, expected at least one: {_expected(spec)}")
    if _is_text(values) and values.ndim == 1 and spec.bounded:
        return np.stack([_decoded(text, row, spec) for row, text in enumerate(values.tolist())])
    _refuse_no_numbers(values, spec)
    _refuse_other_shape(values, spec)
    _refuse_not_finite(values, "NaN or Inf")
    held = stored_of(_whole(values, spec) if spec.bounded else values, spec)
    _refuse_not_finite(held, TOO_LARGE)
    return held


def _records(models: ScoringModel, values: np.ndarray) -> list[dict[str, Any]]:
    block = embedding.latent_block(models.autoencoder, values)
    table = models.scored(block, pd.Series(np.arange(len(values)).astype(str))).drop(columns="sample_id")
    rows = zip(block.vectors.tolist(), table.to_dict("records"), strict=True)
    return [{"latent": z, **{str(name): _plain(value) for name, value in row.items()}} for z, row in rows]


def _plain(value: Any) -> Any:
    """JSON has no NaN and no Inf."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


# -- what was given, as an array -------------------------------------------------------------------------


def _values(data: Any, spec: SampleSpec) -> np.ndarray:
    """The values as an array of any type, (n, ...)."""
    if (table := _table(data)) is not None:
        return _columns(table, spec)
    try:
        values = _array(data)
    except ValueError as error:
        raise InputError(f"the samples differ in shape, expected {_expected(spec)} each ({error})") from error
    if not values.ndim:
        raise InputError(f"given {_shown(values.item())}, expected a list of samples, each {_expected(spec)}")
    return values


def _array(data: Any) -> np.ndarray:
    """Any values as an array; text as objects, since in an array of text each would take as much as the longest."""
    if isinstance(data, list):
        values = np.array(data, object)
        if str in set(map(type, values.ravel().tolist())):
            return values
    return np.asarray(data)


def _table(data: Any) -> pd.DataFrame | None:
    """Anything with named columns, as a data frame."""
    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        return pd.DataFrame([{name: _unwrapped(value) for name, value in row.items()} for row in data])
    if not isinstance(data, Mapping):
        return None
    try:
        return pd.DataFrame(data)
    except ValueError as error:
        raise InputError(f"not a table ({error}): give a list of numbers for each column, all of one length") from error


def _unwrapped(value: Any) -> Any:
    """MLflow makes each value of a record an array."""
    return value.item() if isinstance(value, np.ndarray) and not value.ndim else value


def _columns(table: pd.DataFrame, spec: SampleSpec) -> np.ndarray:
    """The values in the order of the training's columns, or by position where those had no names."""
    names = spec.preprocessing.get("columns")
    if names is None:
        return table.to_numpy()
    _refuse_other_columns([str(name) for name in table.columns], names)
    chosen = table[names]
    if (missing := chosen.isna().to_numpy()).any():
        row, place = np.argwhere(missing)[0].tolist()
        raise InputError(f"sample {row} has no number in column {names[place]!r}: leave it out, or mend it")
    for name in names:
        if not pd.api.types.is_numeric_dtype(chosen[name]):
            raise InputError(f"column {name!r} holds {_shown(_first_odd(chosen[name]))}, expected numbers")
    return chosen.to_numpy(np.float64)


def _features(data: Any, spec: SampleSpec) -> np.ndarray:
    """Rows whose columns are of several types, by the names of their columns."""
    names = spec.preprocessing["columns"]
    table = _table(data)
    if table is None:
        raise InputError(
            "given rows without names, expected them by name, since their columns are of several types: a data frame, "
            f"or records with {first_of([*map(repr, names)])}"
        )
    if not len(table):
        raise InputError(f"given no samples, expected at least one row of {first_of([*map(repr, names)])}")
    _refuse_other_columns([str(name) for name in table.columns], names)
    try:
        columns = features.as_arrays({name: table[name].tolist() for name in names}, spec.preprocessing)
    except ValueError as error:
        raise InputError(str(error)) from error
    if found := features.surprises(columns, spec.preprocessing):
        log.warning("not met in the train rows: %s", in_words(found))
    held = features.features(columns, spec.preprocessing)
    _refuse_not_finite(held, TOO_LARGE)
    return held


def _refuse_other_columns(given: list[str], names: list[str]) -> None:
    """Refuses columns unless each is there once, in any order."""
    if sorted(given) == sorted(names):
        return
    faults = {
        "missing": [name for name in names if name not in given],
        "not known": [name for name in given if name not in names],
        "given twice": sorted({name for name in given if given.count(name) > 1}),
    }
    said = "; ".join(f"{fault}: {first_of([*map(repr, found)])}" for fault, found in faults.items() if found)
    raise InputError(f"other columns than the registered model's ({said}): give {first_of([*map(repr, names)])}")


# -- numbers ---------------------------------------------------------------------------------------------


def _refuse_no_numbers(values: np.ndarray, spec: SampleSpec) -> None:
    if values.dtype.kind not in "iufb":
        or_images = ", or base64 text of image files" if spec.bounded else ""
        odd = _shown(_first_odd(values.ravel()))
        raise InputError(f"given {odd}, expected numbers: {_expected(spec)} for each sample{or_images}")


def _refuse_other_shape(values: np.ndarray, spec: SampleSpec) -> None:
    if values.shape[1:] != spec.shape:
        raise InputError(f"given samples of shape {values.shape[1:]}, expected {_expected(spec)}")


def _refuse_not_finite(values: np.ndarray, fault: str) -> None:
    bad = np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))
    if len(bad):
        raise InputError(f"{fault} in {len(bad)} of {len(values)} samples: {first_of([*map(str, bad)])}")


def _whole(values: np.ndarray, spec: SampleSpec) -> np.ndarray:
    """The values as images hold them; what does not fit is refused, not wrapped around."""
    whole = f"images are whole numbers from 0 to {spec.largest}"
    if values.dtype.kind == "f" and not (values == np.round(values)).all():
        raise InputError(f"{whole}, given fractions: give them before any scaling")
    if not (values.min() >= 0 and values.max() <= spec.largest):
        raise InputError(f"{whole}, given {values.min()} to {values.max()}")
    return values.astype(spec.dtype)


# -- images ----------------------------------------------------------------------------------------------


def _decoded(text: str, row: int, spec: SampleSpec) -> np.ndarray:
    from ae_pipelines.samples import new_image

    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(
            f"sample {row} is not base64 text ({error}): give numbers, or the content of an image file in base64"
        ) from error
    with DECODING:
        return new_image.decoded(content, spec, f"image {row}", instead="numbers")


# -- in words --------------------------------------------------------------------------------------------


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind == "U" or all(isinstance(value, str) for value in values.flat)


def _first_odd(values: Any) -> Any:
    """The first value that is not a number."""
    return next((value for value in values if not isinstance(value, int | float)), values[0])


def _shown(value: Any) -> str:
    """A value in at most one line."""
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 60 else f"{text[:50]}... ({type(value).__name__})"


def _expected(spec: SampleSpec) -> str:
    axes = " (channels, height, width)" if len(spec.shape) == 3 else ""
    return f"{spec.dtype} of shape {spec.shape}{axes}"
