import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from making import names_in

from ae_pipelines.base import part_files
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.tables import TableFile, TableStream

FRAME = pd.DataFrame({"sample_id": [f"s{row}" for row in range(25)], "cluster": np.arange(25, dtype=np.int32) % 3})


def written(path, rows_per_file=10, frame=FRAME):
    with part_files.writing(path, lambda _: {}, rows_per_file) as writer:
        for start in range(0, len(frame), 7):
            writer.write(pa.Table.from_pandas(frame.iloc[start : start + 7], preserve_index=False))
    return path


def read(path):
    return part_files.PartFiles(path, "a table", "make it again")


def test_few_rows_are_one_file_and_many_a_folder_that_others_read_as_one_table(tmp_path):
    assert written(tmp_path / "few.parquet", rows_per_file=25).is_file()
    folder = written(tmp_path / "many.parquet")
    assert names_in(folder) == [
        "_manifest.json",
        "part-00000.parquet",
        "part-00001.parquet",
        "part-00002.parquet",
    ]
    pd.testing.assert_frame_equal(pd.read_parquet(folder), FRAME)
    assert ds.dataset(folder, format="parquet").count_rows() == 25


@pytest.mark.parametrize("rows_per_file", [10, 100])
def test_pieces_and_some_rows_are_those_of_the_whole(tmp_path, monkeypatch, rows_per_file):
    monkeypatch.setattr(part_files, "ROWS_AT_ONCE", 5)
    found = read(written(tmp_path / "t.parquet", rows_per_file))
    pieces = list(found.pieces(["cluster"]))
    assert max(map(len, pieces)) <= 5
    assert pa.concat_tables(pieces).column(0).to_pylist() == FRAME["cluster"].tolist()
    for rows in (np.array([0, 6, 7, 9, 10, 24]), np.array([24, 3, 3, 11, 0])):
        assert found.take(["sample_id"], rows).column(0).to_pylist() == FRAME["sample_id"].iloc[rows].tolist()
    assert len(found.take(["sample_id"], np.array([], int))) == 0


def test_each_takes_the_place_of_the_other_and_leaves_nothing(tmp_path):
    for rows_per_file in (10, 25, 10):
        assert len(read(written(tmp_path / "t.parquet", rows_per_file))) == 25
    assert names_in(tmp_path) == ["t.parquet"]


@pytest.mark.parametrize("rows_per_file", [10, 25])
def test_a_folder_of_something_else_is_neither_replaced_nor_removed(tmp_path, rows_per_file):
    own = tmp_path / "t.parquet/own.txt"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(IsADirectoryError):
        written(own.parent, rows_per_file)
    with pytest.raises((IsADirectoryError, PermissionError)):
        part_files.remove(own.parent)
    assert own.read_text() == "mine"


def test_a_writer_that_fails_leaves_the_old_folder(tmp_path):
    written(tmp_path / "t.parquet")
    with pytest.raises(RuntimeError), part_files.writing(tmp_path / "t.parquet", lambda _: {}, 3) as writer:
        writer.write(pa.table({"a": np.arange(9)}))
        raise RuntimeError
    assert len(read(tmp_path / "t.parquet")) == 25
    assert names_in(tmp_path) == ["t.parquet"]


def damage_manifest(folder):
    (folder / part_files.MANIFEST).write_text("{")


def other_rows(folder):
    manifest = json.loads((folder / part_files.MANIFEST).read_text())
    manifest["parts"][1]["rows"] = 9
    (folder / part_files.MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "damage",
    [
        damage_manifest,
        other_rows,
        lambda folder: (folder / "part-00001.parquet").unlink(),
        lambda folder: (folder / part_files.MANIFEST).unlink(),
    ],
)
def test_a_folder_that_lacks_something_is_damaged(tmp_path, damage):
    damage(written(tmp_path / "t.parquet"))
    with pytest.raises(InputError, match=r"t\.parquet is damaged .*: make it again"):
        read(tmp_path / "t.parquet")


def test_a_table_is_written_in_pieces_and_read_by_column_row_and_piece(tmp_path):
    pieces = [FRAME.iloc[:10], FRAME.iloc[10:]]
    pieces[0].attrs["encoder"] = "abc"
    TableStream(iter(pieces)).into(tmp_path / "t.parquet")
    found = TableFile(tmp_path / "t.parquet")
    assert (len(found), found.columns, found.attrs) == (25, ["sample_id", "cluster"], {"encoder": "abc"})
    pd.testing.assert_series_equal(found["cluster"], FRAME["cluster"])
    pd.testing.assert_frame_equal(found.take([20, 3, 3]), FRAME.take([20, 3, 3]))
    pd.testing.assert_frame_equal(pd.concat(found.pieces()), FRAME)
    assert pd.read_parquet(tmp_path / "t.parquet").attrs == {"encoder": "abc"}
    with pytest.raises(KeyError, match="distance"):
        found["distance"]
