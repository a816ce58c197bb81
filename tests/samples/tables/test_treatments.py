import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer, StandardScaler

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.tables import features, looking, treatments
from ae_pipelines.samples.tables.looking import Look, TrainRows
from ae_pipelines.samples.tables.treatments import Treating, learn

TYPES = {"age": "number", "member": "boolean", "since": "date", "kind": "category", "town": "category"}


def people(count=400, seed=0, missing=0.15):
    """A table as `features` takes it, with a level that is rare, and cells that are missing."""
    draw = np.random.default_rng(seed)
    table = {
        "age": draw.normal(40, 12, count).round(1),
        "member": draw.integers(0, 2, count).astype(float),
        "since": 19_000 + draw.integers(0, 900, count) + draw.integers(0, 24, count) / 24,
        "kind": draw.choice(np.array(["a", "b", "c", "odd"], object), count, p=[0.5, 0.3, 0.195, 0.005]),
        "town": draw.choice(np.array([f"t{number}" for number in range(60)], object), count),
    }
    for values in table.values():
        values[draw.random(count) < missing] = "" if values.dtype == object else np.nan
    return table


def scikit_learns(train, treating):
    """scikit-learn's own transformer of numbers and categories, fitted on the train rows."""
    numbers, texts = ["age", "member"], ["kind", "town"]
    scaling = [StandardScaler()]
    if treating.scaling == "quantile":
        scaling.insert(0, QuantileTransformer(n_quantiles=min(treatments.QUANTILES, len(train)), subsample=None))
    levels = OneHotEncoder(
        min_frequency=treating.fewest(len(train)),
        max_categories=treating.max_categories,
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
    )
    return ColumnTransformer(
        [
            ("value", make_pipeline(SimpleImputer(strategy="median"), *scaling), numbers),
            ("missing", MissingIndicator(error_on_new=False), numbers),
            ("level", levels, texts),
        ]
    ).fit(train)


def in_their_order(values, preprocessing):
    """Our features in scikit-learn's order: numbers, indicators, levels."""
    owners = [name for one in preprocessing["treatments"] for name in features.names(one)]
    order = ["age", "member", "age is missing", "member is missing"]
    order = [name for name in order if name in owners] + [
        name for one in preprocessing["treatments"] if one["type"] == "category" for name in features.names(one)
    ]
    return values[:, [owners.index(name) for name in order]]


@settings(max_examples=60, deadline=None)
@example(seed=3748, count=21, missing=0.6, treating=Treating(max_categories=2))
@given(
    seed=st.integers(0, 10_000),
    count=st.integers(20, 300),
    missing=st.sampled_from([0.0, 0.02, 0.15, 0.6]),
    treating=st.builds(
        Treating,
        scaling=st.sampled_from(["standardise", "quantile"]),
        min_frequency=st.sampled_from([0.01, 0.1, 3.0]),
        max_categories=st.sampled_from([2, 5, 30]),
    ),
)
def test_features_are_those_of_scikit_learns_column_transformer(seed, count, missing, treating):
    train, new = people(count, seed, missing), people(50, seed + 1, 0.3)
    new["kind"][:3] = "never seen"
    learned = learn(train, TYPES, treating)
    kept = [one["column"] for one in learned["treatments"] if "mean" in one or one.get("levels")]
    if {"age", "member", "kind", "town"} - {*kept}:
        return  # all of it is constant or rare, where we leave out what scikit-learn keeps
    theirs = scikit_learns(pd.DataFrame(train), treating)
    for rows in (train, new):
        ours = in_their_order(features.features(rows, learned), learned)
        expected = np.asarray(theirs.transform(pd.DataFrame(rows)), np.float64)
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-6)


def test_numbers_have_mean_zero_and_variance_one_also_where_many_are_missing():
    for scaling in ("standardise", "quantile"):
        rows = people()
        learned = learn(rows, TYPES, Treating(scaling))
        values = features.features(rows, learned).astype(np.float64)
        names = [name for one in learned["treatments"] for name in features.names(one)]
        for name in ("age", "member", "since"):
            assert values[:, names.index(name)].mean() == pytest.approx(0, abs=1e-6)
            assert values[:, names.index(name)].var() == pytest.approx(1, abs=1e-5)


def test_a_missing_number_becomes_the_median_and_is_marked():
    rows = {"a": np.array([1.0, 2.0, 6.0, np.nan])}
    learned = learn(rows, {"a": "number"}, Treating("none"))
    np.testing.assert_array_equal(features.features(rows, learned), [[1, 0], [2, 0], [6, 0], [2, 1]])
    assert learned["treatments"][0]["missing"] == 0.25


def test_without_scaling_days_are_counted_from_the_earliest():
    rows = {"d": np.array([19_723.0, 19_724.0, np.nan, 19_727.0])}  # from Monday 2024-01-01 on
    learned = learn(rows, {"d": "date"}, Treating("none"))
    (one,) = learned["treatments"]
    assert features.names(one) == ["d", "d: sine of weekday", "d: cosine of weekday", "d is missing"]
    values = features.features(rows, learned)
    np.testing.assert_array_equal(values[:, 0], [0, 1, 1, 4])
    angle = 2 * np.pi * np.array([0, 1, 0, 4]) / 7
    np.testing.assert_allclose(values[:, 1], np.where([0, 0, 1, 0], 0, np.sin(angle)), atol=1e-6)
    np.testing.assert_allclose(values[:, 2], np.where([0, 0, 1, 0], 0, np.cos(angle)), atol=1e-6)
    assert "days since 2024-01-01" in treatments.described(learned)["treatment"][0]


@given(st.datetimes(min_value=pd.Timestamp(1700, 1, 1), max_value=pd.Timestamp(2200, 1, 1)))
def test_the_parts_of_a_date_are_those_of_the_calendar(when):
    day = arrays_of({"d": "date"}, d=[when])["d"]
    assert features.CYCLES["month"][0](day) == when.month - 1
    assert features.CYCLES["weekday"][0](day) == when.weekday()
    hour = (when - when.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds() / 3600
    assert features.CYCLES["hour"][0](day) == pytest.approx(hour, abs=1e-5)


def test_missing_is_a_level_and_new_levels_become_the_rare_one_or_nothing():
    rows = {"k": np.array(["a"] * 5 + ["b"] * 5 + [""] * 5 + ["c"], object)}
    learned = learn(rows, {"k": "category"}, Treating())
    assert features.names(learned["treatments"][0]) == ["k is missing", "k=a", "k=b", "k is rare"]
    new = {"k": np.array(["a", "", "c", "new"], object)}
    np.testing.assert_array_equal(
        features.features(new, learned), [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 1]]
    )
    assert features.surprises(new, learned) == {"k": (1, "'new'")}
    without_rare = learn({"k": rows["k"][:10]}, {"k": "category"}, Treating())
    np.testing.assert_array_equal(features.features(new, without_rare), [[1, 0], [0, 0], [0, 0], [0, 0]])
    assert features.surprises(new, without_rare) == {"k": (3, "nothing, 'c', 'new'")}


def test_a_column_that_was_never_missing_and_is_now_is_told():
    learned = learn({"a": np.array([1.0, 2.0, 3.0])}, {"a": "number"}, Treating())
    new = {"a": np.array([1.0, np.nan, np.nan])}
    assert features.surprises(new, learned) == {"a": (2, "nothing")}
    np.testing.assert_allclose(features.features(new, learned)[1:], 0, atol=1e-7)


def test_what_was_learned_is_the_same_after_it_was_written_as_json():
    rows = people()
    learned = learn(rows, TYPES, Treating("quantile"))
    again = json.loads(json.dumps(learned))
    assert again == learned
    np.testing.assert_array_equal(features.features(rows, again), features.features(rows, learned))


def test_a_column_that_is_constant_over_the_train_rows_has_no_features():
    rows = {"a": np.array([1.0, 2.0]), "same": np.array([3.0, 3.0]), "one": np.array(["x", "x"], object)}
    learned = learn(rows, {"a": "number", "same": "number", "one": "category"}, Treating())
    assert treatments.columns_of(learned) == ["a"]
    assert treatments.described(learned)["treatment"].tolist()[1:] == ["left out: constant over the train rows"] * 2
    with pytest.raises(InputError, match="all of the 1 columns are constant over the 2 train rows"):
        learn({"same": rows["same"]}, {"same": "number"}, Treating())


def test_too_many_features_are_refused_with_the_widest_columns(monkeypatch):
    monkeypatch.setattr(treatments, "MOST_FEATURES", 20)
    with pytest.raises(InputError, match="features, most of them from town, .*name fewer columns, or merge more"):
        learn(people(), TYPES, Treating())


def test_a_variance_beyond_float64_is_refused():
    with pytest.raises(InputError, match="the variance of 'a' is more than float64 can hold"):
        learn({"a": np.array([1e300, -1e300])}, {"a": "number"}, Treating())


# -- which columns -------------------------------------------------------------------------------------------------


def looked_at(rows, types, size=7):
    look, count = Look(types), len(next(iter(rows.values())))
    for start in range(0, count, size):
        look.add({name: values[start : start + size] for name, values in rows.items()})
    return look


def test_columns_that_say_nothing_are_found_with_the_reason():
    rows = people() | {
        "nothing": np.full(400, np.nan),
        "same": np.full(400, 3.0),
        "word": np.full(400, "x", object),
        "note": np.array([f"note {row}" for row in range(400)], object),
        "blank": np.full(400, "", object),
        "flag": np.where(np.arange(400) % 2, 1.0, np.nan),
    }
    types = TYPES | {"nothing": "number", "same": "number", "word": "category", "note": "category"}
    look = looked_at(rows, types | {"blank": "category", "flag": "number"})
    assert look.useless(Treating()) == {
        **{"nothing": "empty", "blank": "empty", "same": "constant", "word": "constant"},
        "note": "free text or ids: most rows have values that are rare",
    }
    assert look.missing["flag"] == 200


def test_ids_are_found_among_more_levels_than_are_counted_at_once(monkeypatch):
    monkeypatch.setattr(looking, "COUNTED_LEVELS", 50)
    rows = {"id": np.array([f"{row}" for row in range(2000)], object), "kind": people(2000)["kind"]}
    assert [*looked_at(rows, {"id": "category", "kind": "category"}, 100).useless(Treating())] == ["id"]


@pytest.mark.parametrize("size", [1, 13, 500])
def test_rows_to_learn_from_do_not_depend_on_how_they_come(monkeypatch, size):
    monkeypatch.setattr(looking, "SAMPLED_ROWS", 40)
    rows, sha = people(500), [f"{number:064x}" for number in np.random.default_rng(1).permutation(500) << 244]
    train = np.arange(500) % 5 > 0
    found = TrainRows(5)
    for start in range(0, 500, size):
        part = slice(start, start + size)
        found.add({name: values[part] for name, values in rows.items()}, sha[part], train[part])
    smallest = sorted(np.flatnonzero(train), key=lambda row: sha[row])[:40]
    assert found.seen == train.sum()
    for name, values in found.columns().items():
        np.testing.assert_array_equal(values, rows[name][smallest])


# -- back to columns -------------------------------------------------------------------------------------------------


def test_errors_of_features_are_told_by_column_and_add_up_to_the_reconstruction_error():
    rows = people()
    learned = learn(rows, TYPES, Treating())
    squares = np.random.default_rng(0).random((6, len(treatments.columns_of(learned))))
    found = treatments.errors_by_column(squares, learned)
    assert list(found) == list(TYPES)
    np.testing.assert_allclose(found.sum(axis=1), squares.mean(axis=1))
    np.testing.assert_allclose(found["age"], squares[:, :2].sum(axis=1) / squares.shape[1])
    plain = treatments.errors_by_column(np.array([[3.0, 1.0, 0.0]]), {"columns": ["a", "b", "c"]})
    assert treatments.worst(plain, 2) == ["a: 1, b: 0.33 of 1.3"]


def test_what_became_of_columns_is_a_table_in_lines():
    rows = people(missing=0.0) | {"kind": people(missing=0.25)["kind"]}
    learned = learn(rows, TYPES, Treating(max_categories=8)) | {"left_out": {"note": looking.FREE_TEXT}}
    lines = list(treatments.in_lines(treatments.described(learned)))
    assert lines[0].split() == ["column", "type", "missing", "features", "treatment"]
    assert lines[1].split(maxsplit=4) == ["age", "number", "0.0%", "1", "standardised"]
    assert lines[4].split(maxsplit=4)[4] == "one-hot: 4 levels, one of them for missing, the rare ones merged"
    assert lines[6].split(maxsplit=2)[2] == f"left out: {looking.FREE_TEXT}"
    assert list(treatments.in_lines(treatments.described(learned), 2))[3] == "... and 4 more columns"


# -- what programs hold ----------------------------------------------------------------------------------------------


def arrays_of(types, **held):
    treatments = [{"column": name, "type": kind} for name, kind in types.items()]
    return features.as_arrays(held, {"columns": list(types), "treatments": treatments})


def test_lists_of_what_json_holds_become_arrays():
    found = arrays_of(
        {"n": "number", "b": "boolean", "d": "date", "c": "category"},
        n=[1, None, "2.5", float("nan")],
        b=[True, "false", 1, ""],
        d=["1970-01-03", "1970-01-01T12:00:00", None, pd.Timestamp(1970, 1, 2)],
        c=[" x ", None, 3.0, True],
    )
    np.testing.assert_array_equal(found["n"], [1, np.nan, 2.5, np.nan])
    np.testing.assert_array_equal(found["b"], [1, 0, 1, np.nan])
    np.testing.assert_array_equal(found["d"], [2, 0.5, np.nan, 1])
    assert found["c"].tolist() == ["x", "", "3", "True"]


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("number", "x", "row 1 of column 'a' holds 'x', expected numbers"),
        ("number", float("inf"), "holds inf, expected numbers"),
        ("boolean", "maybe", "holds 'maybe', expected true or false"),
        ("date", "yesterday", "holds 'yesterday', expected dates such as"),
        ("date", 7, "holds 7, expected dates such as"),
    ],
)
def test_what_a_column_may_not_hold_is_refused_with_its_place(kind, value, message):
    with pytest.raises(ValueError, match=message):
        arrays_of({"a": kind}, a=[None, value])
    with pytest.raises(ValueError, match="no column 'a': give 'a'"):
        arrays_of({"a": kind}, b=[1])


def test_a_long_new_level_is_told_in_short():
    learned = {
        "treatments": [{"column": "k", "type": "category", "levels": ["a", "b"], "rare": [], "all_listed": True}]
    }
    (count, what) = features.surprises({"k": np.array(["a", "x" * 300_000], object)}, learned)["k"]
    assert (count, what) == (1, repr("x" * 80 + "..."))


@pytest.mark.parametrize("one", [1, 1.0, np.float32(1), np.float64(1), np.int64(1), "1"])
def test_whole_numbers_in_a_category_are_alike_whatever_their_type(one):
    learned = {"columns": ["k"], "treatments": [{"column": "k", "type": "category"}]}
    assert features.as_arrays({"k": [one]}, learned)["k"].tolist() == ["1"]
