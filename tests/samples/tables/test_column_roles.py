import logging

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_pipelines.samples.tables.column_roles import FactsBuilder, is_id_name, not_values, stand_ins, values_among
from ae_pipelines.samples.tables.files import readers_of

RANDOM = np.random.default_rng(0)


def facts(*files, parts=1):
    """Facts of one column in several files."""
    found = []
    for values in files:
        builder = FactsBuilder(1)
        for part in np.array_split(np.asarray(values, float)[:, None], parts):
            builder.look(part)
        found += builder.facts()
    return found


def why(name, *files):
    return not_values({name: facts(*files)}).get(name)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "__index_level_0__"])
def test_row_numbers_that_tools_write_are_no_values_even_where_some_are_gone(name):
    assert why(name, [3, 7, 8]) == "its name is that of row numbers"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([range(10)], "it counts the rows"),
        ([range(1, 11)], "it counts the rows"),
        ([range(10), range(10, 15)], "it counts the rows"),
        ([range(10), range(10)], "it counts the rows"),
        ([range(9)], None),
        ([range(2000, 2020)], None),
        ([range(2000, 2100)], "it is a whole number that increases with every row"),
        ([np.arange(100) * 3 + 70_000], "it is a whole number that increases with every row"),
        ([np.arange(100) / 2], None),
        ([[*range(50), np.nan, *range(51, 120)]], None),
        ([[*range(10), 9]], None),
        ([range(0, -20, -1)], None),
        ([RANDOM.permutation(200)], None),
        ([range(10), RANDOM.permutation(10)], None),
    ],
)
def test_numbers_that_count_or_increase_with_the_rows_are_no_values(files, expected):
    assert why("n", *files) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("id", True), ("ID", True), ("patient_id", True), ("PassengerId", True), ("sample.ID", True), ("row id", True)]
    + [(name, False) for name in ("humid", "area", "paid", "fluid", "LIQUID", "I", "identity", "AID")],
)
def test_an_id_is_told_by_its_name(name, expected):
    assert is_id_name(name) is expected
    assert (why(name, [5, 3, 3]) is not None) is expected
    assert why(name, [5.5, 3, 3]) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([*RANDOM.normal(size=20), -999, -999], {-999.0: 2}),
        ([*RANDOM.normal(size=20), -999, -999, -9999, -9999], {-999.0: 2, -9999.0: 2}),
        ([20, 30, 90, 999, 999], {999.0: 2}),
        ([*RANDOM.normal(size=20), -999], {}),
        ([*RANDOM.normal(0, 500, size=50), -999, -999], {}),
        ([-999, -999], {}),
        ([np.nan, 1, 2], {}),
    ],
)
def test_numbers_far_from_all_others_that_people_write_for_nothing_are_found(values, expected):
    assert stand_ins(facts(values)) == expected


@given(
    st.lists(st.sampled_from([0.0, 1.0, 2.0, 2.5, np.nan, np.inf, -999.0]), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_facts_do_not_depend_on_the_parts_they_are_found_in(values, parts):
    assert repr(facts(values, parts=parts)) == repr(facts(values))


def test_what_is_left_out_and_what_may_be_missing_is_told_with_what_to_do(tmp_path, caplog):
    columns = {
        "age": np.where(np.arange(200) % 5, RANDOM.normal(40, 9, 200), -999),
        "patient_id": RANDOM.integers(0, 99, 200),
        "number": np.arange(200),
        "height": RANDOM.normal(170, 9, 200),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (found,) = readers_of(tmp_path / "t.parquet")
    with caplog.at_level(logging.WARNING):
        assert values_among(list(columns), [found.facts]) == ["age", "height"]
    ids, rows, missing = caplog.messages
    assert ids.startswith("left out of the values: 'patient_id', since its name is that of ids; source.id=<column>")
    assert rows.startswith("left out of the values: 'number', since it counts the rows;")
    assert missing.startswith("column 'age' is -999 in 40 rows, far from its other values: ")
    assert missing.endswith("source.missing=[-999]")
