import hashlib
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import tables
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources import SourceChoice
from ae_pipelines.samples.splits import split_by_content


def cells(count=400, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "name": [f"cell {row}" for row in range(count)],
            "area": random.normal(200, 30, count),
            "nuclei": random.integers(0, 5, count),
            "round": random.random(count) < 0.5,
            "kind": np.array(["a", "b", "c"])[random.integers(0, 3, count)],
            "part": np.where(np.arange(count) % 4, "train", "test"),
        }
    )


def source(path, **fields):
    return SourceChoice(kind="table", path=path, **fields).build()


def written(folder, frame, name="cells.csv", **fields):
    path = folder / name
    if isinstance(frame, str | bytes):
        path.write_bytes(frame.encode() if isinstance(frame, str) else frame)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return source(path, **fields)


def read(found):
    """Values, ids, labels, splits, sha256, rejects of all blocks."""
    blocks = list(found.blocks())
    return (
        np.concatenate([block.values for block in blocks]),
        *(
            [value for block in blocks for value in getattr(block, name) or []]
            for name in ("ids", "labels", "splits", "sha256", "rejects")
        ),
    )


def example(folder, first, last):
    frame = cells()
    frame.loc[3, "area"] = None
    return written(folder, frame[first:last], "cells.parquet", label="kind")


def faults(found):
    return [(reject.id, reject.reason) for reject in read(found)[-1]]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(tables, "BLOCK_ROWS", 7)


KINDS = ["cells.csv", "cells.parquet"]


@pytest.mark.parametrize("name", KINDS)
def test_train_rows_have_mean_zero_and_variance_one_in_every_column(tmp_path, name, small_blocks):
    frame = cells()
    found = written(tmp_path, frame, name, columns=["round", "area", "nuclei"])
    values, ids, _, splits, sha256, _ = read(found)
    train = np.array(splits) == "train"
    expected = frame[["round", "area", "nuclei"]].to_numpy(np.float64)
    np.testing.assert_allclose(values[train].mean(0, np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(values[train].var(0, np.float64), 1, atol=1e-5)
    spec = found.spec()
    assert (spec.shape, spec.dtype, spec.preprocessing["columns"]) == ((3,), "float32", ["round", "area", "nuclei"])
    np.testing.assert_allclose(spec.preprocessing["mean"], expected[train].mean(0), rtol=1e-12)
    np.testing.assert_allclose(spec.preprocessing["standard_deviation"], expected[train].std(0), rtol=1e-10)
    assert all(type(number) is float for number in spec.preprocessing["mean"])
    assert (ids[0], ids[42]) == ("cells/000", "cells/042")
    assert sha256[5] == hashlib.sha256(expected[5].tobytes()).hexdigest()
    assert splits == [split_by_content(sha) for sha in sha256]


def test_a_csv_equals_the_same_parquet(tmp_path, small_blocks):
    fields = {"label": "kind", "id": "name", "split": "part"}
    a, b = (written(tmp_path, cells(), name, **fields) for name in KINDS)
    assert a.spec() == b.spec()
    np.testing.assert_array_equal(read(a)[0], read(b)[0])
    assert read(a)[1:] == read(b)[1:]
    assert (a.count(), b.count()) == (None, 400)


@pytest.mark.parametrize("name", KINDS)
def test_without_standardise_values_are_their_float32(tmp_path, name):
    found = written(tmp_path, cells(), name, columns=["area", "nuclei"], standardise=False)
    np.testing.assert_array_equal(read(found)[0], cells()[["area", "nuclei"]].to_numpy(np.float32))
    assert found.spec().preprocessing == {"columns": ["area", "nuclei"]}


@pytest.mark.parametrize("name", KINDS)
def test_all_numeric_columns_without_another_use_are_taken_and_the_others_named(tmp_path, name, caplog):
    with caplog.at_level(logging.WARNING):
        found = written(tmp_path, cells(), name, label="nuclei")
        assert found.spec().preprocessing["columns"] == ["area", "round"]
        read(found)
    assert caplog.messages == ["left out of the values, since not numeric throughout: 'name', 'kind', 'part'"]


def test_a_row_number_that_pandas_wrote_is_no_value(tmp_path):
    frame = cells()[["area", "nuclei"]]
    frame.to_csv(tmp_path / "a.csv")
    frame[frame["nuclei"] > 1].to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        assert source(tmp_path / name).spec().preprocessing["columns"] == ["area", "nuclei"]


@pytest.mark.parametrize("name", KINDS)
def test_labels_ids_and_splits_come_from_their_columns(tmp_path, name):
    frame = cells()
    frame.loc[3, "kind"] = None
    found = written(tmp_path, frame, name, label="kind", id="name", split="part")
    store = write_store(tmp_path / "store", found)
    assert store.index["sample_id"].tolist() == frame["name"].tolist()
    assert store.index["split"].tolist() == frame["part"].tolist()
    assert store.index["label"][3] is np.nan or store.index["label"].isna()[3]
    assert store.index["label"].drop(3).tolist() == frame["kind"].drop(3).tolist()
    train = store.read()[frame["part"] == "train"]
    np.testing.assert_allclose(train.mean(0, np.float64), 0, atol=1e-6)


@pytest.mark.parametrize(
    ("labels", "expected"), [([1, 2], [1, 2]), ([1.0, 2.5], [1.0, 2.5]), (pd.Categorical(["x", "y"]), ["x", "y"])]
)
def test_labels_of_parquet_are_as_it_holds_them(tmp_path, labels, expected):
    found = written(tmp_path, pd.DataFrame({"a": [1, 2], "y": labels}), "a.parquet", label="y", standardise=False)
    assert read(found)[2] == expected


def test_a_column_that_looks_integer_for_a_million_bytes_and_then_is_not_keeps_its_values(tmp_path):
    numbers = np.r_[np.arange(300_000), 0.5, -1e-3]
    lines = [f"{number:.0f},{number:.0f},," for number in numbers[:-2]] + ["0.5,yes,3,true", "-1e-3,no,4,false"]
    assert len("\n".join(lines[:-2])) > 3e6
    found = written(tmp_path, "\n".join(["a,b,c,d", *lines]), columns=["a"], standardise=False)
    np.testing.assert_array_equal(read(found)[0][:, 0], numbers.astype(np.float32))
    found = written(tmp_path, "\n".join(["a,b,c,d", *lines]), standardise=False)
    assert found.spec().preprocessing["columns"] == ["a", "c", "d"]
    values, *_, rejects = read(found)
    np.testing.assert_array_equal(values, np.array([[0.5, 3, 1], [-1e-3, 4, 0]], np.float32))
    assert len(rejects) == 300_000


def test_numbers_may_stand_among_spaces_and_in_quotes(tmp_path):
    found = written(tmp_path, 'a,b\n 1.5, "2"\n"3" ,4e1\n', standardise=False)
    assert found.spec().preprocessing["columns"] == ["a"]  # a quote after a space is text
    np.testing.assert_array_equal(read(found)[0], [[1.5], [3]])


def test_a_line_break_within_quotes_is_text_wherever_a_block_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "CSV_BYTES", 50)
    found = written(tmp_path, "a,y\n" + '1,"two\nlines"\n2,one\n' * 100, label="y", standardise=False)
    assert read(found)[2] == ["two\nlines", "one"] * 100


def test_rows_with_something_missing_nan_or_inf_are_rejected_with_the_first_such_column(tmp_path, small_blocks):
    text = "a,b,y\n1,2,k\n,3,k\n4,NA,k\n5,nan,k\n-inf,,k\n 6 , 7 ,k\n"
    found = written(tmp_path, text, "t.csv", label="y", standardise=False)
    expected = [
        ("t/1", "missing value in column 'a'"),
        ("t/2", "missing value in column 'b'"),
        ("t/3", "NaN or Inf in column 'b'"),
        ("t/4", "NaN or Inf in column 'a'"),
    ]
    assert faults(found) == expected
    np.testing.assert_array_equal(read(found)[0], [[1, 2], [6, 7]])
    same = pa.table({"a": [1, None, 4, 5, -np.inf, 6], "b": [2, 3, None, np.nan, None, 7], "y": ["k"] * 6})
    pq.write_table(same, tmp_path / "t.parquet")
    assert faults(source(tmp_path / "t.parquet", label="y", standardise=False)) == expected


def test_rejected_rows_are_counted_and_do_not_touch_the_statistics(tmp_path, small_blocks):
    frame = cells()
    frame.loc[[10, 350], "area"] = [np.inf, np.nan]
    found = written(tmp_path, frame, "cells.parquet", columns=["area", "nuclei"])
    store = write_store(tmp_path / "store", found)
    assert (store.manifest.read, store.manifest.accepted, store.manifest.rejected) == (400, 398, 2)
    assert store.rejects["sample_id"].tolist() == ["cells/010", "cells/350"]
    assert np.isfinite(found.spec().preprocessing["mean"]).all()


def test_a_row_beyond_float32_is_rejected(tmp_path):
    assert faults(written(tmp_path, "a\n1\n1e39\n", standardise=False)) == [("cells/1", "too large for float32")]


def test_a_constant_column_becomes_zero_with_a_warning(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        values = read(written(tmp_path, cells().assign(same=7), columns=["area", "same"]))[0]
    assert caplog.messages == ["constant over the train rows, so they become 0: 'same'"]
    assert (values[:, 1] == 0).all()


def test_splits_stay_when_rows_are_appended_and_when_standardisation_changes(tmp_path):
    frame = cells()
    stores = [
        write_store(tmp_path / name, written(tmp_path, rows, f"{name}.parquet", standardise=standardise))
        for name, rows, standardise in (
            ("a", frame, True),
            ("b", pd.concat([frame, cells(seed=1)]), True),
            ("c", frame, False),
        )
    ]
    splits = [store.index["split"].tolist()[:400] for store in stores]
    assert splits[0] == splits[1] == splits[2]


def test_a_folder_of_parquet_files_is_read_in_the_order_of_their_names(tmp_path, small_blocks):
    frame = cells()
    for name, rows in (("b", frame[300:]), ("a", frame[:300])):
        rows.to_parquet(tmp_path / f"{name}.parquet", index=False)
    (tmp_path / "_SUCCESS").write_text("")
    found = source(tmp_path, columns=["area"], standardise=False)
    whole = written(tmp_path.parent, frame, "whole.parquet", columns=["area"], standardise=False)
    np.testing.assert_array_equal(read(found)[0], read(whole)[0])
    assert found.spec() == whole.spec()
    assert found.count() == 400
    assert read(found)[1][299:301] == ["a/299", "b/000"]


def test_a_row_group_is_read_in_parts(tmp_path):
    pq.write_table(pa.table({"a": np.arange(100_000.0)}), tmp_path / "a.parquet", row_group_size=100_000)
    blocks = list(source(tmp_path / "a.parquet").blocks())
    assert max(len(block.ids) for block in blocks) <= tables.BLOCK_ROWS
    assert sum(len(block.ids) for block in blocks) == 100_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "cannot be read as a table .*Empty CSV"),
        (b"\n\n", "cannot be read as a table .*Empty CSV"),
        (b"a,b\n", "has no rows"),
        (b"a,b\n1,2\n3\n", "cannot be read as a table: line 3 has 1 cells, expected 2"),
        (b"a,a\n1,2\n", "has more than one column called 'a': rename them"),
        (b"a,b\nx,\ny,\n", "has no column of numbers for values, only 'a', 'b'"),
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


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": ["area", "aera"]}, "has no column 'aera'; known: name, area, .*Did you mean 'area'"),
        ({"columns": ["area", "kind"]}, "'kind' not numeric throughout; numeric are 'area', 'nuclei', 'round'"),
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


@pytest.mark.parametrize("name", KINDS)
def test_a_row_without_an_id_or_a_split_is_refused(tmp_path, name):
    frame = cells()
    frame.loc[17, ["name", "part"]] = None
    with pytest.raises(InputError, match="row 17 has no id in column 'name': give every row one"):
        list(written(tmp_path, frame, name, id="name").blocks())
    with pytest.raises(InputError, match="column 'part' has 'None', expected train or test"):
        list(written(tmp_path, frame, name, split="part").blocks())


def test_a_text_that_is_like_a_missing_value_is_an_id(tmp_path):
    assert read(written(tmp_path, "a,id\n1,NA\n2,nan\n", id="id", standardise=False))[1] == ["NA", "nan"]


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
        ({"columns": "a"}, "columns: given 'a', but input should be a valid list"),
        ({"standardise": "maybe"}, "standardise: given 'maybe'"),
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
