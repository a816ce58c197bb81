import io
import logging
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import parquet
from ae_pipelines.samples.tables import csv_file, files
from ae_pipelines.samples.tables.dialect import Dialect, looks_like_data
from ae_pipelines.samples.tables.files import readers_of

RANDOM = np.random.default_rng(0)
ROWS = [
    [f"{a:.3f}", f"{b:.3f}", f"{c:.3f}", f"k{number % 2}"]
    for number, (a, b, c) in enumerate(RANDOM.normal(size=(80, 3)))
]
NUMBERS = np.array([[float(cell) for cell in row[:3]] for row in ROWS])
HEADER = ["a", "b", "c", "y"]


def text(rows=ROWS, header=HEADER, delimiter=",", end="\n"):
    return end.join(delimiter.join(row) for row in [header, *rows]) + end


def reader(folder, content, **options):
    path = folder / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (found,) = readers_of(path, **options)
    return found


def column(folder, cells, delimiter=";", **options):
    """Type and values of one column of a CSV file, with text beside it."""
    lines = [f'"{cell}"{delimiter}row {number}' for number, cell in enumerate(cells)]
    found = reader(folder, "\n".join([f"x{delimiter}name", *lines]), **options)
    kind = "text" if found.types["x"] == "empty" else found.types["x"]
    return found.types["x"], [value for batch in found.batches({"x": kind}) for value in batch.column("x").to_pylist()]


def numbers(found, names=("a", "b", "c")):
    batches = list(found.batches(dict.fromkeys(names, "number")))
    return np.concatenate(
        [np.stack([part.to_numpy(zero_copy_only=False) for part in batch.columns], 1) for batch in batches]
    )


COMMAS = [[cell.replace(".", ",") for cell in row] for row in ROWS]
AS_PEOPLE_HAVE_THEM = {
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + text().encode(), ""),
    "UTF-16": (text().encode("utf-16"), "UTF-16"),
    "Windows-1252": (text(ROWS, ["a", "b", "c", "y"]).replace("k1", "ké").encode("cp1252"), "Windows-1252"),
    "semicolons": (text(COMMAS, delimiter=";"), "separated by semicolons"),
    "semicolons that are said": ("sep=;\n" + text(COMMAS, delimiter=";"), "separated by semicolons"),
    "tabs": (text(delimiter="\t"), "separated by tabs"),
    "bars": (text(delimiter="|"), "separated by vertical bars"),
    "carriage returns": (text(end="\r"), ""),
    "Windows line ends": (text(end="\r\n"), ""),
    "empty lines at the end": (text(end="\r\n") + ",,,\r\n , ,,\r\n\r\n", "2 rows without anything in them"),
    "an empty line between": (text(ROWS[:40]) + ",,,\n" + text(ROWS[40:]).split("\n", 1)[1], "1 rows without anything"),
    "blanks": (text(delimiter=" , "), ""),
    "a comment": ("# made by tool, version 2\n" + text(), "comment lines are skipped: # made by tool"),
    "names in a comment": ("# " + text(), "the names of its columns are in a comment line"),
    "empty lines first": ("\n\n" + text(), ""),
}


@pytest.mark.parametrize("kind", AS_PEOPLE_HAVE_THEM)
def test_the_same_table_is_read_however_it_is_written_and_what_is_unusual_is_told(tmp_path, kind, caplog):
    content, told = AS_PEOPLE_HAVE_THEM[kind]
    with caplog.at_level(logging.INFO):
        found = reader(tmp_path, content)
        assert found.names == HEADER
        assert found.types == {"a": "number", "b": "number", "c": "number", "y": "text"}
        assert found.rows == 80
        np.testing.assert_array_equal(numbers(found), NUMBERS)
    assert told in caplog.text
    assert told or not caplog.messages


def test_decimal_commas_are_told(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert reader(tmp_path, text(COMMAS, delimiter=";")).types == {**dict.fromkeys("abc", "number"), "y": "text"}
    assert caplog.messages[-1] == "t.csv: 'a', 'b', 'c': decimal commas (1,5 is one and a half)"


NAN = float("nan")


@pytest.mark.parametrize(
    ("cells", "delimiter", "type_", "values"),
    [
        (["1", "", "2.5", "NA", "null", " 3 "], ",", "number", [1, None, 2.5, None, None, 3]),
        (["1", "2", "-3e2", "+4"], ",", "number", [1, 2, -300, 4]),
        (["1", "2", "3,5", "-1.234,5"], ";", "number", [1, 2, 3.5, -1234.5]),
        (["1.5", "2,5"], ";", "text", ["1.5", "2,5"]),
        (["1,234", "12", "1,234,567.5", "999"], ",", "number", [1234, 12, 1234567.5, 999]),
        (["1,234", "12"], ";", "number", [1.234, 12]),
        (["0,123", "1,234"], ",", "number", [0.123, 1.234]),
        (["1,234", "0,5", "1,234.5"], ",", "text", ["1,234", "0,5", "1,234.5"]),
        (["5%", "", "12.5 %"], ",", "number", [0.05, None, 0.125]),
        (["0,5%", "2%"], ";", "number", [0.005, 0.02]),
        (["5%", "5"], ",", "text", ["5%", "5"]),
        (["true", "", "FALSE"], ",", "boolean", [1, None, 0]),
        (["true", "2"], ",", "number", [1, 2]),
        (["", " ", "NA"], ",", "empty", [None, None, None]),
        (["red", "", "nan", " blue "], ",", "text", ["red", None, None, "blue"]),
        (["2024-01-31", "", "2024-02-01T10:30:00"], ",", "date", [(2024, 1, 31), None, (2024, 2, 1, 10, 30)]),
        (["2024-01-31T12:00:00Z"] * 2, ",", "date", [(2024, 1, 31, 12)] * 2),
        (["2024/01/31", "2024/1/2"], ",", "date", [(2024, 1, 31), (2024, 1, 2)]),
        (["31.12.2024", "1.2.2024"], ",", "date", [(2024, 12, 31), (2024, 2, 1)]),
        (["31/12/2024", "1/2/2024"], ",", "date", [(2024, 12, 31), (2024, 2, 1)]),
        (["12/31/2024", "1/2/2024"], ",", "date", [(2024, 12, 31), (2024, 1, 2)]),
        (["1/2/2024", "2/3/2024"], ",", "text", ["1/2/2024", "2/3/2024"]),
        (["31/12/24", "30/11/24"], ",", "text", ["31/12/24", "30/11/24"]),
    ],
)
def test_a_column_is_what_all_its_cells_are(tmp_path, cells, delimiter, type_, values):
    expected = [datetime(*value) if isinstance(value, tuple) else value for value in values]
    assert column(tmp_path, cells, delimiter) == (type_, expected)


@pytest.mark.parametrize("last", ["", "x", "1.5", "1,5", "2024-01-31", "true", "7%"])
def test_the_type_does_not_depend_on_where_blocks_end(tmp_path, monkeypatch, last):
    cells = ["1", "20", "", "3"] * 20 + [last]
    whole = column(tmp_path, cells)
    monkeypatch.setattr(csv_file, "CSV_BYTES", 40)
    monkeypatch.setattr(csv_file, "WIDE_CSV_BYTES", 40)
    assert column(tmp_path, cells) == whole


def test_a_column_that_only_a_mark_keeps_from_being_numbers_is_told_with_the_option(tmp_path, caplog):
    cells = ["1.5", "?", "3", "?", "2", "4"]
    assert column(tmp_path, cells, ",")[0] == "text"
    assert reader(tmp_path, "x,n\n" + "".join(f"{cell},a\n" for cell in cells)).but_for == {"x": {"?": 2}}
    assert column(tmp_path, cells, ",", missing=["?"]) == ("number", [1.5, None, 3, None, 2, 4])


@pytest.mark.parametrize("missing", [[-999], ["-999"], [-999.0]])
def test_numbers_may_stand_for_missing_values(tmp_path, missing):
    cells = ["1.5", "-999", "-999.0", "3"]
    assert column(tmp_path, cells, ",", missing=missing) == ("number", [1.5, None, None, 3])
    pq.write_table(pa.table({"x": [1.5, -999.0, 3.0], "t": [datetime(2024, 1, 1)] * 3}), tmp_path / "t.parquet")
    (found,) = readers_of(tmp_path / "t.parquet", missing=missing)
    (batch,) = found.batches({"x": "number", "t": "date"})
    assert batch.column("x").to_pylist() == [1.5, None, 3]


def test_raw_is_as_the_file_holds_it(tmp_path):
    found = reader(tmp_path, "x,y\n1, 007 \n2,\n3,NA\n")
    assert [batch.to_pydict() for batch in found.batches({"y": "raw"})] == [{"y": [" 007 ", "", "NA"]}]


@pytest.mark.parametrize(
    "lines",
    [
        ["0.1,2.5,k0", "0.3,-1,k1"],
        ["39,State-gov,13", "50,Private,12", "38,State-gov,9"],
        ["5.1,3.5,1.4,0.2,setosa", "4.9,3.0,1.4,0.2,setosa"],
        ["7,5,9", "2,6,10"],
        ["alice,30", "bob,25"],
        ["2024-01-01,x,1", "2024-01-02,y,2"],
        ["2024-01-01,x", "2024-01-02,y"],
        ["p,x,s", "e,x,y", "p,f,s", "e,x,s"],
        ["1.5,2.5"],
    ],
)
def test_a_first_line_like_the_rows_below_is_refused_unless_it_is_settled(tmp_path, lines):
    content = "\n".join(lines)
    with pytest.raises(InputError, match=r"first line of .*t.csv looks like data .*source.header=false .*header=true"):
        assert reader(tmp_path, content).names
    without = reader(tmp_path, content, header=False)
    width = lines[0].count(",") + 1
    assert (without.names, without.rows) == ([f"column_{place}" for place in range(width)], len(lines))
    assert reader(tmp_path, content, header=True).names == lines[0].split(",")


@pytest.mark.parametrize(
    "lines",
    [
        ["a,b", "1,2"],
        ["0,1,2,4", "-0.3,0.2,1.1,0", "0.3,0.1,1.5,1"],
        ["0,1,2", "5,3,4"],
        [",0", "0,5", "1,7"],
        ["country,1990,1991", "Chad,5,6", "Peru,7,8"],
        ["2024-01-01,1_000,2,on", "0.1,0.2,0.3,1"],
        ["name,kind", "x,y", "z,y"],
        ["#,name", "1,Bulbasaur", "2,Ivysaur"],
        ["a,b"],
    ],
)
def test_names_are_no_data(tmp_path, lines):
    found = reader(tmp_path, "\n".join(lines))
    assert (found.names, found.rows) == (lines[0].split(","), len(lines) - 1)


def test_rows_of_one_kind_are_never_taken_for_their_header():
    rows = [[f"{value:.3f}" for value in row] for row in RANDOM.normal(size=(50, 4))]
    assert all(looks_like_data(rows[number], rows[number + 1 :]) for number in range(50))


def test_a_row_of_another_length_is_refused_with_its_line(tmp_path):
    with pytest.raises(InputError, match="t.csv cannot be read as a table: line 83 has 2 cells, expected 4"):
        assert reader(tmp_path, "# tool\n" + text() + "1,2\n").rows
    with pytest.raises(InputError, match="line 4 has 3 cells, expected 2 as in the first"):
        assert reader(tmp_path, 'a,b\n1,"two\nlines"\n1,2,3\n').rows


def test_columns_without_names_get_some(tmp_path):
    found = reader(tmp_path, ",a,b,,\n0,1,2,,\n1,3,4,,\n")
    assert found.names == ["Unnamed: 0", "a", "b", "Unnamed: 3", "Unnamed: 4"]
    assert found.types["Unnamed: 4"] == "empty"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 4)), min_size=4, max_size=20),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    comma=st.booleans(),
)
def test_numbers_come_back_from_any_dialect(tmp_path, values, delimiter, encoding, end, comma):
    lines = [f"größe{delimiter}n", *(f"{value:.4f}{delimiter}é" for value in values)]
    if comma and delimiter == ";":
        lines = [line.replace(".", ",") for line in lines]
    found = reader(tmp_path, (end.join(lines)).encode(encoding))
    assert found.names == ["größe", "n"]
    np.testing.assert_array_equal(numbers(found, ["größe"])[:, 0], values)


def test_wide_tables_are_read_by_groups_of_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_file, "TOGETHER", 3)
    values = RANDOM.integers(-5, 5, (6, 10)).astype(str)
    values[2, 4], values[3, 5], values[0, 8] = "x", "", "1,5"
    content = "\n".join(";".join(row) for row in [[f"c{place}" for place in range(10)], *values])
    found = reader(tmp_path, content)
    assert [name for name, type_ in found.types.items() if type_ != "number"] == ["c4"]
    names = [name for name in found.names if name != "c4"]
    expected = [[float(cell.replace(",", ".") or NAN) for cell in np.delete(row, 4)] for row in values]
    np.testing.assert_array_equal(numbers(found, names), expected)


def parquet_reader(folder, columns):
    pq.write_table(pa.table(columns), folder / "t.parquet")
    (found,) = readers_of(folder / "t.parquet")
    return found


DAY = datetime(2024, 1, 31, 12)
UUIDS = pa.array([UUID(int=5).bytes, None], pa.binary(16))


@pytest.mark.parametrize(
    ("held", "type_", "values"),
    [
        (pa.array([2**63, 1], pa.uint64()), "number", [2.0**63, 1]),
        (pa.array([Decimal("1.5"), None]), "number", [1.5, None]),
        (pa.array([1.5, NAN], pa.float16()), "number", None),
        (pa.array([timedelta(days=1), None], pa.duration("us")), "number", [86_400, None]),
        (pa.array([True, None]), "boolean", [1, None]),
        (pa.array([DAY, None], pa.timestamp("ns", "Europe/Berlin")), "date", [DAY, None]),
        (pa.array([DAY.date(), None]), "date", [datetime(2024, 1, 31), None]),
        (pa.array([" a", "NA"], pa.string_view()), "text", ["a", None]),
        (pa.array(["a", None]).dictionary_encode(), "text", ["a", None]),
        (UUIDS.cast(pa.uuid()), "text", [str(UUID(int=5)), None]),
        (pa.nulls(2), "empty", [None, None]),
        (pa.nulls(2, pa.float64()), "empty", [None, None]),
    ],
)
def test_columns_of_parquet_are_read_by_their_type(tmp_path, held, type_, values):
    found = parquet_reader(tmp_path, {"x": held, "n": [1, 2]})
    assert found.types == {"x": type_, "n": "number"}
    (batch,) = found.batches({"x": "text" if type_ == "empty" else type_})
    if values is not None:
        assert batch.column("x").to_pylist() == values
    if type_ in ("number", "boolean"):
        assert batch.column("x").type == pa.float64()


@pytest.mark.parametrize(
    "held",
    [pa.array([[1.0], None]), pa.array([{"a": 1}, None]), pa.array([b"x", None]), pa.array([1, 2], pa.time64("us"))],
)
def test_types_that_are_no_values_are_named(tmp_path, held):
    found = parquet_reader(tmp_path, {"x": held, "n": [1, 2]})
    assert found.types == {"x": "unusable", "n": "number"}
    assert list(found.unusable) == ["x"]
    assert found.unusable["x"].startswith(str(held.type).split("<")[0])


def test_uuids_are_text_even_where_only_their_size_is_known(tmp_path):
    (batch,) = parquet_reader(tmp_path, {"x": UUIDS}).batches({"x": "raw"})
    assert batch.column("x").to_pylist() == [str(UUID(int=5)), None]


def test_a_type_that_arrow_does_not_have_hinders_no_other_column(tmp_path, monkeypatch):
    """As in files of polars with an Int128: the note of the types fails, the columns are there."""
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": RANDOM.normal(size=5000), "d": pa.array([1] * 5000, pa.duration("s"))}), path)
    real = pq.ParquetFile

    def without_wide_integers(source, **options):
        content = source.read_bytes() if hasattr(source, "read_bytes") else source.read()
        if parquet.ARROW_SCHEMA in content:
            raise pa.ArrowNotImplementedError("Integers with more than 64 bits not implemented")
        return real(io.BytesIO(content), **options)

    expected = pq.read_table(path).column("x").to_pylist()
    monkeypatch.setattr(pq, "ParquetFile", without_wide_integers)
    (found,) = readers_of(path)
    assert found.types == {"x": "number", "d": "number"}
    assert [value for batch in found.batches({"x": "number"}) for value in batch.column("x").to_pylist()] == expected


def test_a_file_without_its_notes_is_the_same_wherever_it_is_read(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"x": RANDOM.normal(size=500)}), path)
    whole = path.read_bytes().replace(b"ARROW:schema", b"arrow:SCHEMA")
    file = parquet._WithoutNotes(path)
    assert file.read() == whole
    for start, size in RANDOM.integers(0, len(whole), (200, 2)).tolist():
        file.seek(start)
        assert file.read(size) == whole[start : start + size]


def test_folders_of_partitions_are_columns(tmp_path):
    for kind, part, rows in (("k 0", "1", 2), ("k1", "02", 3), (files.NO_PARTITION, "3", 1)):
        folder = tmp_path / f"y={kind.replace(' ', '%20')}" / f"part={part}" / f"year={2020 + rows}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"x": [float(rows)] * rows}), folder / "data_0.parquet")
    found = readers_of(tmp_path)
    assert {tuple(reader.types.items()) for reader in found} == {
        (("x", "number"), ("y", "text"), ("part", "text"), ("year", "number"))
    }
    assert [reader.stem for reader in found][1] == "y=k%200/part=1/year=2022/data_0"
    rows = [
        row
        for reader in found
        for batch in reader.batches({"year": "number", "y": "text", "part": "raw", "x": "number"})
        for row in batch.to_pylist()
    ]
    assert len(rows) == 6
    assert rows[1] == {"year": 2022, "y": "k 0", "part": "1", "x": 2}
    assert rows[0]["y"] is None
    (batch,) = found[1].batches({"y": "text"})
    assert batch.column("y").to_pylist() == ["k 0", "k 0"]


def test_a_column_in_a_file_goes_before_its_folder(tmp_path):
    (tmp_path / "y=k0").mkdir()
    pq.write_table(pa.table({"y": [1, 2]}), tmp_path / "y=k0" / "a.parquet")
    (found,) = readers_of(tmp_path)
    assert (found.names, found.types) == (["y"], {"y": "number"})
    assert [batch.column("y").to_pylist() for batch in found.batches({"y": "number"})] == [[1, 2]]


def test_a_dialect_can_be_used_elsewhere(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes("sep=;\npath;label\na.png;é\n".encode("cp1252"))
    found = Dialect.of(path)
    assert (found.encoding, found.delimiter, found.skipped, found.names) == ("cp1252", ";", 1, ["path", "label"])
