import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cells import cells, read, source, written
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.sources import SourceChoice

NAMES = ["cells.csv", "cells.parquet"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "cannot be read as a table .*Empty CSV"),
        (b"\n\n", "cannot be read as a table .*Empty CSV"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n1,2\n3\n", "cannot be read as a table: line 3 has 1 cells, expected 2"),
        (b"a,a\n1,2\n", "has more than one column called 'a': rename them"),
        (b"a,b\nx,\ny,\n", "has no column of values, only 'a', 'b': give one with columns of numbers, categories"),
        (b"a,b\n1,\x81\n", "cannot be read as a table .*charmap"),
        (b"\xff\xfe,b\n1,2\n", "cannot be read as a table .*utf-16"),
        (
            b"a\n" + b"1\n" * 40_000 + b'"' + b"x" * 3_000_000,
            "cannot be read as a table .*: fix it, or save it again as parquet",
        ),
    ],
)
def test_a_bad_csv_is_refused_with_its_fault(tmp_path, text, message):
    with pytest.raises(InputError, match=f"cells.csv.*{message}"):
        written(tmp_path, text).spec()


def test_a_bad_parquet_is_refused_with_its_fault(tmp_path):
    written(tmp_path, cells()[["area"]], "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    for content in (b"", b"PAR1", b"a,b\n1,2\n", good[:-100], good[:4] + b"\xff" * 40 + good[44:]):
        with pytest.raises(InputError, match="x.parquet cannot be read as a table"):
            read(written(tmp_path, content, "x.parquet", standardise=False))
    with pytest.raises(InputError, match="x.parquet has no rows"):
        written(tmp_path, cells(0), "x.parquet").spec()
    pq.write_table(pa.table([[1], [2]], names=["a", "a"]), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="more than one column called 'a'"):
        source(tmp_path / "x.parquet").spec()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": ["area", "aera"]}, "has no column 'aera'; known: name, area, .*Did you mean 'area'"),
        ({"columns": ["area", "area"]}, "name 'area' more than once"),
        ({"columns": ["area"], "label": "area"}, "name 'area' more than once"),
        ({"label": "knid"}, "has no column 'knid'; .*Did you mean 'kind'"),
        ({"id": "nme"}, "has no column 'nme'"),
        ({"split": "prt"}, "has no column 'prt'"),
        ({"split": "kind"}, "column 'kind' has 'a', 'b', 'c', expected train or test in every row"),
    ],
)
def test_wrong_columns_are_refused_with_what_is_there(tmp_path, name, fields, message):
    with pytest.raises(InputError, match=message):
        written(tmp_path, cells(), name, **fields).spec()


@pytest.mark.parametrize("name", NAMES)
def test_a_row_without_an_id_or_a_split_is_refused(tmp_path, name):
    frame = cells()
    frame.loc[17, ["name", "part"]] = None
    with pytest.raises(InputError, match="row 17 has no id in column 'name': give every row one"):
        list(written(tmp_path, frame, name, id="name").blocks())
    with pytest.raises(InputError, match="column 'part' has 'None', expected train or test"):
        list(written(tmp_path, frame, name, split="part").blocks())


def test_every_file_of_a_folder_must_have_the_columns(tmp_path):
    written(tmp_path, cells(), "a.parquet")
    written(tmp_path, cells().drop(columns="area"), "b.parquet")
    with pytest.raises(InputError, match="b.parquet has no column 'area'"):
        source(tmp_path, columns=["area"]).spec()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.csv", "no file .*nowhere.csv: give a .csv"),
        ("x.xlsx", "x.xlsx is neither .csv nor .parquet"),
        ("empty", "the folder .*empty has no .parquet files"),
    ],
)
def test_a_wrong_path_is_refused(tmp_path, name, message):
    (tmp_path / "x.xlsx").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        source(tmp_path / name).spec()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"colums": ["a"]}, "colums: no such option; known: .* Did you mean 'columns'"),
        ({"columns": []}, "columns: given .., but list should have at least 1 item"),
        ({"columns": {"a": 1}}, "columns: given {'a': 1}, but input should be a valid list"),
        ({"standardise": "maybe"}, "standardise: given 'maybe'"),
        ({"scaling": "minmax"}, "scaling: given 'minmax'"),
        ({"min_frequency": 0}, "min_frequency: given 0"),
        ({"max_categories": 1}, "max_categories: given 1"),
    ],
)
def test_bad_options_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        SourceChoice(kind="table", path="x.csv", **fields).check()


PIECES = [
    b"1",
    b"-2.5",
    b"nan",
    b"x",
    b'"',
    b",",
    b"\n",
    b"\r",
    b" ",
    b"\0",
    b"\xff",
    b"true",
    b"\xef\xbb\xbf",
    b"1e999",
]


@settings(max_examples=500, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=60),
        st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join),
        st.lists(st.sampled_from(PIECES), max_size=12).map(lambda parts: b"a,b\n1,2\n3,4\n" + b"".join(parts)),
    ),
    standardise=st.booleans(),
)
def test_whatever_the_bytes_of_a_csv_samples_or_our_own_error_come_out(tmp_path_factory, content, standardise):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(content)
    try:
        found = source(path, standardise=standardise)
        values = read(found)[0]
    except InputError:
        return
    assert np.isfinite(values).all()
    assert values.shape[1:] == found.spec().shape


@pytest.mark.parametrize("ids", [[1.0, float("nan"), 3.0], ["a", " ", "b"], ["a", None, "b"]])
def test_nan_and_blank_are_no_ids(tmp_path, ids):
    pq.write_table(pa.table({"k": ids, "x": [1.5, 2.5, 4.5]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="row 1 has no id in column 'k'"):
        read(source(tmp_path / "t.parquet", id="k"))
