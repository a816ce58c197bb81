import hashlib
import logging

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cells import cells, read, source, written

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content
from ae_pipelines.samples.tables import candidates, csv_file, parquet_file, reader, treatments


def example(folder, first, last):
    frame = cells()
    frame.loc[3, "area"] = None
    return written(folder, frame[first:last], "cells.parquet", label="kind")


def faults(found):
    return [(reject.id, reject.reason) for reject in read(found)[-1]]


@pytest.fixture
def small_blocks(monkeypatch):
    for module in (csv_file, parquet_file):
        monkeypatch.setattr(module, "BLOCK_ROWS", 7)


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


@pytest.mark.parametrize("standardise", [True, False])
def test_samples_that_were_no_table_say_nothing_about_its_columns(tmp_path, standardise):
    found = written(tmp_path, cells(), "cells.csv", standardise=standardise)
    images = SampleSpec(shape=(1, 8, 8), dtype="uint8")
    assert found.like(images).spec() == found.spec()


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
def test_all_columns_without_another_use_are_taken_and_those_that_say_nothing_named(tmp_path, name, caplog):
    frame = cells().assign(country="NL", nothing=None)
    with caplog.at_level(logging.WARNING):
        found = written(tmp_path, frame, name, label="nuclei")
        assert found.spec().preprocessing["columns"] == ["area", "round", "kind", "part"]
        read(found)
    assert caplog.messages == [
        "left out of the values: 'nothing' (empty)",
        "left out of the values: 'name' (free text or ids: most rows have values that are rare); 'country' (constant)"
        ". A lower source.min_frequency keeps rarer levels; source.id=<column> takes one as the ids of rows",
    ]
    assert [*found.spec().preprocessing["left_out"]] == ["nothing", "name", "country"]


@pytest.mark.parametrize("name", KINDS)
def test_numbers_beside_text_that_says_nothing_are_what_they_are_alone(tmp_path, name):
    beside = written(tmp_path, cells()[["name", "area", "nuclei"]].assign(same=7), name)
    alone = written(tmp_path, cells()[["area", "nuclei"]].assign(same=7), f"alone_{name}")
    assert beside.spec() == alone.spec()
    assert {*beside.spec().preprocessing} == {"columns", "mean", "standard_deviation"}
    np.testing.assert_array_equal(read(beside)[0], read(alone)[0])
    assert read(beside)[4] == read(alone)[4]


def dated(**more):
    since = pd.Timestamp("2024-02-28") + pd.to_timedelta(np.arange(400) % 90, "D")
    frame = cells().assign(since=since, **more)
    return frame.astype(object).mask(np.random.default_rng(1).random((400, len(frame.columns))) < 0.15)


MIXED = ["area", "nuclei", "round", "kind", "since"]


def test_a_mixed_csv_equals_the_same_parquet(tmp_path, small_blocks):
    frame = dated()[MIXED]
    a = written(tmp_path, frame)
    typed = frame.astype({"area": float, "nuclei": float, "round": "boolean", "since": "datetime64[ns]"})
    b = written(tmp_path, typed, "cells.parquet")
    types = {one["column"]: one["type"] for one in a.spec().preprocessing["treatments"]}
    assert types == {"area": "number", "nuclei": "number", "round": "boolean", "kind": "category", "since": "date"}
    assert a.spec() == b.spec()
    np.testing.assert_array_equal(read(a)[0], read(b)[0])
    assert read(a)[1:] == read(b)[1:]
    assert len(read(a)[0]) == 400


def test_what_is_learned_of_columns_is_learned_from_the_train_rows_alone(tmp_path):
    frame = dated().assign(part=cells()["part"], name=cells()["name"])
    other = frame.copy()
    other.loc[other["part"] == "test", "area"] = 1e6
    other.loc[other["part"] == "test", "kind"] = "new"
    found = [
        written(tmp_path, rows, f"{name}.csv", columns=MIXED, split="part").spec().preprocessing["treatments"]
        for name, rows in (("a", frame), ("b", other))
    ]
    assert found[0] == found[1]
    numbers = frame.loc[frame["part"] == "train", "area"].astype(float)
    area = found[0][0]
    assert area["fill"] == pytest.approx(numbers.median())
    assert area["mean"] == pytest.approx(numbers.fillna(numbers.median()).mean())
    assert area["missing"] == pytest.approx(numbers.isna().mean(), abs=1e-6)


@pytest.mark.parametrize("scaling", ["standardise", "quantile"])
def test_new_rows_are_treated_as_those_of_the_training_by_the_names_of_their_columns(tmp_path, caplog, scaling):
    frame = dated().assign(note="x")
    spec = written(tmp_path, frame, label="part", scaling=scaling).spec()
    new = frame.drop(columns="note")[:7].assign(kind=["zebra", "zebra", "lion", None, "a", "b", "c"], more=1)
    again = written(tmp_path, new[new.columns[::-1]], "new.csv").like(spec)
    with caplog.at_level(logging.INFO):
        assert again.spec() == spec
        values = read(again)[0]
    assert "columns that the training did not have are not used: 'more', 'part'" in caplog.messages
    assert "not met in the train rows: 'lion', 'zebra' in column 'kind' (3 rows)" in caplog.messages
    known = read(written(tmp_path, frame, label="part", scaling=scaling))[0][:7]
    other = [place for place, name in enumerate(treatments.columns_of(spec.preprocessing)) if name != "kind"]
    np.testing.assert_array_equal(values[:, other], known[:, other])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns="kind"), "new.csv has no column 'kind'"),
        (
            lambda frame: frame.assign(area="large"),
            "column 'area' holds text, expected what .* in the training: numbers",
        ),
        (lambda frame: frame.assign(since="soon"), "column 'since' holds text, .*: dates such as 2024-02-29"),
    ],
)
def test_new_rows_that_lack_a_column_or_hold_something_else_in_it_are_refused(tmp_path, change, message):
    spec = written(tmp_path, dated(), label="part").spec()
    with pytest.raises(InputError, match=message):
        written(tmp_path, change(dated()), "new.csv").like(spec).spec()


def test_numbers_whose_training_had_no_missing_cell_are_still_rejected_where_one_is(tmp_path):
    spec = written(tmp_path, cells()[["area", "nuclei"]]).spec()
    new = cells()[["area", "nuclei"]].astype(float)
    new.loc[3, "area"] = None
    again = written(tmp_path, new, "new.csv").like(spec)
    assert again.spec() == spec
    assert faults(again) == [("new/003", "missing value in column 'area'")]


def test_text_that_was_asked_for_and_is_free_text_is_refused_with_the_remedy(tmp_path):
    with pytest.raises(InputError, match="'name' cannot be values: free text or ids.*take one as the ids") as refused:
        written(tmp_path, cells(), columns=["area", "name"]).spec()
    assert refused.value.options == {"source.min_frequency": "2", "source.id": "..."}


def test_the_content_of_a_row_is_that_of_all_its_columns(tmp_path):
    frame = dated()[MIXED]
    before = read(written(tmp_path, frame))[4]
    other = frame.copy()
    for row, (name, value) in enumerate(zip(MIXED, [1.5, 99, None, "z", "2024-02-29"], strict=True)):
        frame.loc[row, name], other.loc[row, name] = "c" if name == "kind" else frame[name].dropna().iloc[0], value
    first, second = (read(written(tmp_path, rows))[4] for rows in (frame, other))
    assert [a != b for a, b in zip(first, second, strict=True)] == [True] * 5 + [False] * 395
    assert before[5:] == first[5:]


def test_a_file_of_too_many_columns_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(candidates, "MOST_COLUMNS", 5)
    with pytest.raises(InputError, match="has 6 columns, and a table may have up to 5: save the numbers as an array"):
        written(tmp_path, cells()).spec()
    assert written(tmp_path, cells(), columns=["area"]).spec().shape == (1,)


def test_a_number_that_stands_for_nothing_is_asked_about_and_then_missing(tmp_path, caplog):
    frame = cells()[["area", "nuclei"]]
    frame.loc[:9, "area"] = -999
    with caplog.at_level(logging.WARNING):
        written(tmp_path, frame).spec()
    (said,) = caplog.messages
    assert "column 'area' is -999 in 10 rows" in said
    spec = written(tmp_path, frame, missing=["-999"]).spec()
    assert spec.preprocessing["treatments"][0]["indicator"]
    assert written(tmp_path, frame, "new.csv").like(spec).spec() == spec, "new rows are read so too"


def test_a_row_number_that_pandas_wrote_is_no_value(tmp_path, caplog):
    frame = cells()[["area", "nuclei"]]
    frame.to_csv(tmp_path / "a.csv")
    frame[frame["nuclei"] > 1].to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        assert source(tmp_path / name).spec().preprocessing["columns"] == ["area", "nuclei"]
    assert "left out of the values: '', since its name is that of row numbers; source.id=<column> makes" in caplog.text


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
    types = {one["column"]: one["type"] for one in found.spec().preprocessing["treatments"]}
    assert types == {"a": "number", "c": "number", "d": "boolean"}
    np.testing.assert_array_equal(read(found)[0][:, 0], numbers.astype(np.float32))


def test_numbers_may_stand_among_spaces_and_in_quotes(tmp_path):
    found = written(tmp_path, 'a,b\n 1.5, "2"\n"3" ,4e1\n', standardise=False)
    assert found.spec().preprocessing["columns"] == ["a"]  # a quote after a space is text
    np.testing.assert_array_equal(read(found)[0], [[1.5], [3]])


def test_a_line_break_within_quotes_is_text_wherever_a_block_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "CSV_BYTES", 50)
    found = written(tmp_path, "a,y\n" + '1,"two\nlines"\n2,one\n' * 100, label="y", standardise=False)
    assert read(found)[2] == ["two\nlines", "one"] * 100


def test_missing_numbers_become_the_median_and_rows_with_inf_are_rejected(tmp_path, small_blocks):
    text = "a,b,s\n1,2,train\n,3,train\n4,NA,train\n5,nan,train\n-inf,,train\n 6 , 7 ,train\n"
    csv = written(tmp_path, text, "t.csv", split="s", standardise=False)
    same = pa.table({"a": [1, None, 4, 5, -np.inf, 6], "b": [2, 3, None, np.nan, None, 7], "s": ["train"] * 6})
    pq.write_table(same, tmp_path / "t.parquet")
    for found in (csv, source(tmp_path / "t.parquet", split="s", standardise=False)):
        assert faults(found) == [("t/4", "NaN or Inf in column 'a'")]
        expected = [[1, 0, 2, 0], [4.5, 1, 3, 0], [4, 0, 3, 1], [5, 0, 3, 1], [6, 0, 7, 0]]
        np.testing.assert_array_equal(read(found)[0], expected)


def test_rejected_rows_are_counted_and_do_not_touch_the_statistics(tmp_path, small_blocks):
    frame = cells()
    frame.loc[[10, 350], "area"] = [np.inf, -np.inf]
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
    blocks = list(source(tmp_path / "a.parquet", columns=["a"]).blocks())
    assert max(len(block.ids) for block in blocks) <= reader.BLOCK_ROWS
    assert sum(len(block.ids) for block in blocks) == 100_000


def test_a_text_that_is_like_a_missing_value_is_an_id(tmp_path):
    assert read(written(tmp_path, "a,id\n1,NA\n2,nan\n", id="id", standardise=False))[1] == ["NA", "nan"]


def column_of(cells):
    return "x;y\n" + "".join(f"{cell};{number}.5\n" for number, cell in enumerate(cells))


MONTHS = [f"{month}/{day}/2024" for month in range(1, 13) for day in range(10, 16)]


@pytest.mark.parametrize(
    ("trained", "name", "new", "same"),
    [
        (["1,100,000", "1,234,567", "999"], "thousands", ["1,234"], ["1234"]),
        (["1,25", "2,5", "3"], "decimal_comma", ["1.234", "7"], ["1234", "7"]),
        (["5%", "10%", "12.5%"], "percent", ["7%"], ["0.07"]),
        (["0,5%", "10%", "12,5%"], "decimal_comma_percent", ["7%"], ["0.07"]),
        (MONTHS, "month_first", ["2/3/2024", "4/5/2024"], ["2024-02-03", "2024-04-05"]),
        (["13/1/2024", "14/2/2024", "2/3/2024"], "day_first", ["2/3/2024"], ["2024-03-02"]),
        (["13.1.2024", "14.2.2024", "2.3.2024"], "day_first_with_points", ["2024-03-02"], ["2.3.2024"]),
    ],
)
def test_new_rows_are_read_in_the_format_of_the_training(tmp_path, trained, name, new, same, caplog):
    fields = {"columns": ["x", "y"]}
    spec = written(tmp_path, column_of(trained), "trained.csv", **fields).spec()
    assert spec.preprocessing["formats"]["x"] == name
    found = written(tmp_path, column_of(new), "new.csv").like(spec)
    assert found.spec() == spec
    told = {**spec.preprocessing, "formats": {}}
    plain = written(tmp_path, column_of(same), "plain.csv").like(spec.model_copy(update={"preprocessing": told}))
    np.testing.assert_array_equal(read(found)[0], read(plain)[0])


@pytest.mark.parametrize(
    ("trained", "new", "message"),
    [
        (MONTHS, ["3/4/2024", "13/3/2024"], "'13/3/2024', but .* dates with the month first: write it so, or as 2024-"),
        (["5%", "10%", "12.5%"], ["5"], "column 'x' has '5', but the training's was written as per cent"),
        (["1,25", "2,5", "3"], ["1.5"], "column 'x' has '1.5', but the training's was written as decimal commas"),
    ],
)
def test_new_rows_in_another_format_are_refused(tmp_path, trained, new, message):
    spec = written(tmp_path, column_of(trained), "trained.csv").spec()
    with pytest.raises(InputError, match=message):
        read(written(tmp_path, column_of(new), "new.csv").like(spec))


def test_a_format_that_the_training_did_not_have_is_a_warning(tmp_path, caplog):
    spec = written(tmp_path, column_of(["1", "2", "3"]), "trained.csv").spec()
    assert "formats" not in spec.preprocessing
    with caplog.at_level(logging.WARNING):
        read(written(tmp_path, column_of(["5%", "6%"]), "new.csv").like(spec))
    assert "new.csv: 'x': per cent (5% is 0.05), of which the training knew nothing" in caplog.text
    dates = written(tmp_path, column_of(["2024-02-03", "2024-02-04", "2024-05-06"]), "trained.csv").spec()
    caplog.clear()
    with caplog.at_level(logging.WARNING), pytest.raises(InputError, match="'x' holds text, expected .*: dates"):
        read(written(tmp_path, column_of(["2/3/2024", "4/5/2024"]), "new.csv").like(dates))
    (told,) = caplog.messages
    assert told.endswith("cannot be told (write dates as 2024-12-31)")


def test_numbers_with_a_few_texts_among_them_are_named_with_what_to_do(tmp_path, caplog):
    rows = "".join(f"{row * 1.5 if row % 20 else '?'},{row}.5,{row % 2 if row % 3 else 'n/k'}\n" for row in range(200))
    with caplog.at_level(logging.WARNING):
        written(tmp_path, "x,w,z\n" + rows).spec()
    left_out, category = caplog.messages
    reason = "numbers but for '?' (10 cells); source.missing=['?'] says that these are missing values"
    assert left_out == f"left out of the values: 'x' ({reason})"
    assert category.startswith("column 'z' is a category, since it has numbers but for 'n/k' (67 cells)")
    with pytest.raises(InputError, match="'x' cannot be values: numbers but for"):
        written(tmp_path, "x,w,z\n" + rows, columns=["x", "w"]).spec()


def in_files(folder, **files):
    for name, columns in files.items():
        path = folder / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), path)
    return source(folder)


def test_columns_that_some_files_lack_are_named(tmp_path, caplog):
    numbers = [0.5, 2.5, 4.5]
    found = in_files(tmp_path, a={"x": numbers}, b={"x": numbers, "age": numbers}, c={"age": numbers, "x": numbers})
    with caplog.at_level(logging.WARNING):
        assert found.spec().preprocessing["columns"] == ["x"]
    assert caplog.messages == ["left out of the values: 'age' (only 2 of 3 files have it)"]


def test_files_that_hold_a_column_in_different_types_are_named(tmp_path, caplog):
    found = in_files(tmp_path, a={"k": [2.0, 3.0] * 9}, b={"k": ["2.0", "3.0"] * 9}, c={"k": ["2", "3"] * 9})
    with caplog.at_level(logging.WARNING):
        found.spec()
    (told,) = caplog.messages
    assert told.endswith("files differ: number in a.parquet; text in b.parquet, c.parquet")


def test_parquet_files_below_the_folder_that_are_not_read_are_told(tmp_path, caplog):
    numbers = {"x": [0.5, 2.5, 4.5]}
    found = in_files(tmp_path, **{"a": numbers, "sub/b": numbers, "k=1/c": numbers, "_kept/d": numbers, ".e": numbers})
    with caplog.at_level(logging.WARNING):
        assert found.count() == 3
    assert "2 .parquet files in folders below" in caplog.text
    assert "are not read: k=1/c.parquet, sub/b.parquet;" in caplog.text
    (tmp_path / "a.parquet").unlink()
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert source(tmp_path).count() == 3
    assert "1 .parquet files in folders below" in caplog.text
    (tmp_path / "k=1/c.parquet").unlink()
    with pytest.raises(InputError, match="no .parquet files; they are in folders below it, such as .*sub"):
        source(tmp_path).count()


def test_a_category_of_many_even_levels_is_kept_and_the_rarer_merged(tmp_path, caplog):
    rows = "".join(f"level {row % 80},{row}.5\n" for row in range(4000))
    with caplog.at_level(logging.WARNING):
        found = written(tmp_path, "k,x\n" + rows)
        kinds = found.spec().preprocessing["treatments"][0]
    assert len(kinds["levels"]) == 29
    assert "column 'k' has 80 frequent levels" in caplog.text
    assert "source.max_categories=81 keeps them" in caplog.text
    whole = written(tmp_path, "k,x\n" + rows, max_categories=81).spec().preprocessing["treatments"][0]
    assert (len(whole["levels"]), whole["rare"]) == (80, [])


@pytest.mark.parametrize(("name", "told"), [("Label", True), ("class", True), ("target", True), ("labelled", False)])
def test_a_value_that_is_called_as_labels_are_is_told(tmp_path, name, told, caplog):
    text = f"x,{name}\n" + "".join(f"{row}.5,{row % 2}\n" for row in range(20))
    with caplog.at_level(logging.WARNING):
        written(tmp_path, text).spec()
    assert (caplog.messages == [f"column {name!r} is a value; source.label={name} makes it the label"]) == told
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        written(tmp_path, text, columns=["x", name]).spec()
    assert not caplog.messages


def test_y_beside_x_is_a_place(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        written(tmp_path, "x,y\n1.5,2.5\n3.5,2\n").spec()
        assert not caplog.messages
        written(tmp_path, "a,y\n1.5,2.5\n3.5,2\n").spec()
    assert caplog.messages == ["column 'y' is a value; source.label=y makes it the label"]


def test_blank_lines_of_one_column_are_counted(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        found = written(tmp_path, 'x\n1.5\n\n2.5\n""\n4.5\n')
        values, ids, *_ = read(found)
    assert (len(values), ids) == (3, ["cells/0", "cells/1", "cells/2"])
    assert "2 rows without anything in them are left out" in caplog.text
