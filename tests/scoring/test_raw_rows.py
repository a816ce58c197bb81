"""Rows of a table with columns of several types, as someone sends them to an endpoint."""

import logging

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.tables import treatments
from ae_pipelines.samples.tables.features import features
from ae_pipelines.samples.tables.treatments import Treating, learn
from ae_pipelines.scoring import raw

TRAIN = {
    "age": np.array([31.0, 40.0, np.nan, 52.0, 47.0, 38.0]),
    "member": np.array([1.0, 0, 1, 1, np.nan, 0]),
    "since": np.array([19_000.0, 19_100, np.nan, 19_250, 19_300, 19_301]),
    "kind": np.array(["a", "b", "a", "b", "", "a"], object),
}
TYPES = {"age": "number", "member": "boolean", "since": "date", "kind": "category"}
LEARNED = learn(TRAIN, TYPES, Treating())
SPEC = SampleSpec(shape=(len(treatments.columns_of(LEARNED)),), dtype="float32", preprocessing=LEARNED)
ROW = {"age": 31, "member": True, "since": "2022-01-08", "kind": "a"}
EXPECTED = features({name: values[:1] for name, values in TRAIN.items()}, LEARNED)


@pytest.mark.parametrize(
    "given",
    [
        [ROW],
        [{name: np.array(value) for name, value in ROW.items()}],
        {name: [ROW[name]] for name in ("kind", "since", "member", "age")},
        pd.DataFrame([ROW]).astype({"since": "datetime64[ns]"}),
    ],
    ids=["records", "records, as MLflow hands them on", "columns in another order", "a data frame"],
)
def test_rows_come_by_the_names_of_their_columns(given):
    np.testing.assert_array_equal(raw.stored(given, SPEC), EXPECTED)


def test_what_is_null_is_missing_and_new_levels_are_told(caplog):
    row = {"age": None, "member": None, "since": None, "kind": "zebra"}
    nothing = {name: np.array(["zebra"], object) if name == "kind" else np.array([np.nan]) for name in TRAIN}
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(raw.stored([row], SPEC), features(nothing, LEARNED))
    assert caplog.messages == ["not met in the train rows: 'zebra' in column 'kind' (1 rows)"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            [[31, True, "2022-01-08", "a"]],
            "rows without names, expected them by name.* 'age', 'member', 'since'",
        ),
        ([], "rows without names"),
        (pd.DataFrame([ROW])[:0], "given no samples, expected at least one row of 'age'"),
        ([{name: ROW[name] for name in ("age", "member", "since")}], r"\(missing: 'kind'\)"),
        ([ROW | {"name": "x"}], r"\(not known: 'name'\)"),
        ([ROW | {"age": "old"}], "row 0 of column 'age' holds 'old', expected numbers"),
        ([ROW, ROW | {"since": "soon"}], "row 1 of column 'since' holds 'soon', expected dates such as 2024-02-29"),
        ([ROW | {"age": 1e300}], "too large for float32 in 1 of 1 samples"),
    ],
)
def test_what_the_models_cannot_take_is_refused_with_its_place(given, reason):
    with pytest.raises(InputError, match=reason):
        raw.stored(given, SPEC)
