import logging
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.sources.label_file import matched, read_labels

ROOT = Path("/data/photos")
IDS = [f"c/{number}.png" for number in range(6)]
TABLE = Path("labels.csv")


def labels_for(ids, written):
    return {written(name): f"k{number}" for number, name in enumerate(ids)}


@pytest.mark.parametrize(
    "written",
    [
        str,
        lambda name: name.replace("/", "\\"),
        lambda name: f"./{name}",
        lambda name: f".\\{name}".replace("/", "\\"),
        lambda name: f"{ROOT}/{name}",
        lambda name: f"C:\\Users\\me\\photos\\{name}".replace("/", "\\"),
        lambda name: f"photos/{name}",
        lambda name: f"/photos//{name}",
        str.upper,
        lambda name: name.removesuffix(".png"),
        lambda name: name.rpartition("/")[2],
        lambda name: name.rpartition("/")[2].removesuffix(".png"),
        lambda name: f" {name} ",
    ],
)
def test_a_path_is_found_however_it_is_written(written):
    assert matched(TABLE, labels_for(IDS, written), IDS, ROOT) == labels_for(IDS, str)


@pytest.mark.parametrize(("held", "listed"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_another_unicode_form_is_the_same_name(held, listed):
    ids = [unicodedata.normalize(held, f"é{number}.png") for number in range(3)]
    found = matched(TABLE, labels_for(ids, lambda name: unicodedata.normalize(listed, name)), ids, ROOT)
    assert found == labels_for(ids, str)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1), unique=True))
def test_an_exact_path_always_means_its_file(names):
    labels = labels_for(names, str)
    assert matched(TABLE, labels, names, ROOT) == labels


def test_what_could_be_several_files_is_none_and_told(caplog):
    ids = ["a/1.png", "b/1.png", "a/2.png", "a/2.jpg", "a/A.png", "a/a.png", "b/3.png"]
    labels = {"1.png": "x", "a/2": "y", "A/A.PNG": "z", "B/3.png": "w"}
    assert matched(TABLE, labels, ids, ROOT) == {"b/3.png": "w"}
    assert "3 rows of labels.csv may mean several files: 1.png, A/A.PNG, a/2" in caplog.text


def test_an_exact_path_goes_before_others_that_fold_to_it():
    assert matched(TABLE, {"a.png": "x", "A.png": "y"}, ["A.png", "a.png"], ROOT) == {"a.png": "x", "A.png": "y"}


def test_a_row_for_a_file_elsewhere_does_not_label_one_of_the_same_name():
    assert matched(TABLE, {"a/1.png": "x", "old/2.png": "y"}, ["a/1.png", "a/2.png", "2.png"], ROOT) == {"a/1.png": "x"}


def test_two_rows_for_one_file_are_refused():
    with pytest.raises(InputError, match=r"several rows for 1 files: a.png is meant by A.png, A.PNG"):
        matched(TABLE, {"A.png": "x", "A.PNG": "y"}, ["a.png"], ROOT)


def test_an_exact_row_goes_before_one_that_is_written_otherwise():
    labels = {"1.png": "x", "sub/1.png": "y", "SUB/1.PNG": "z"}
    assert matched(TABLE, labels, ["sub/1.png"], ROOT) == {"sub/1.png": "y"}


@pytest.mark.parametrize(
    ("row", "names"),
    [("1.2.3", ["1.2.png"]), ("a.tar", ["a.png"]), ("a.jpg", ["a.png"]), ("1.2", ["1.2.3.png"])],
)
def test_only_the_extension_of_an_image_may_be_left_out(row, names):
    assert matched(TABLE, {row: "x", "b.png": "y"}, [*names, "b.png"], ROOT) == {"b.png": "y"}


def test_dots_in_names_are_no_extension():
    assert matched(TABLE, {"1.2.3": "x", "1.2.4": "y"}, ["1.2.3.png", "1.2.4.png"], ROOT) == {
        "1.2.3.png": "x",
        "1.2.4.png": "y",
    }


def test_labels_of_another_split_are_not_taken_for_files_of_the_same_name():
    train = Path("/data/set/train")
    rows = {f"{split}/{number}.png": split for split in ("val", "train") for number in range(3)}
    names = [f"{number}.png" for number in range(3)]
    assert matched(TABLE, rows, names, train) == dict.fromkeys(names, "train")
    with pytest.raises(InputError, match="none of the 3 files"):
        matched(TABLE, {row: label for row, label in rows.items() if label == "val"}, names, train)


def test_folders_above_are_left_out_where_all_rows_share_them_or_they_end_as_the_root_does():
    names = ["a.png", "sub/b.png"]
    assert matched(TABLE, {"old/a.png": "x", "old/sub/b.png": "y"}, names, ROOT) == {"a.png": "x", "sub/b.png": "y"}
    rows = {"other/zzz.png": "z", "my/photos/a.png": "x", "my/photos/sub/b.png": "y"}
    assert matched(TABLE, rows, names, ROOT) == {"a.png": "x", "sub/b.png": "y"}


def test_labels_of_none_of_the_files_are_refused():
    with pytest.raises(InputError, match=r"none of the 2 files .* lists x.png, y/z.png.* are c/0.png"):
        matched(TABLE, {"x.png": "1", "y/z.png": "2"}, IDS, ROOT)


def test_what_was_matched_otherwise_is_said_once(caplog):
    caplog.set_level(logging.INFO)
    matched(TABLE, labels_for(IDS, str.upper), IDS, ROOT)
    assert "6 of 6 files are written otherwise in labels.csv: C/0.PNG is c/0.png" in caplog.text


PLAIN = "path,label\na/1.png,cat\nb.png,dog\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace("path,label", "Path, Label").encode(),
        PLAIN.replace("path,label", "filename,class").encode(),
        b",path,label\n0,a/1.png,cat\n1,b.png,dog\n",
        f"{PLAIN},\n,\n".encode(),
    ],
)
def test_a_table_is_read_as_people_write_it(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    assert read_labels(tmp_path / "labels.csv") == {"a/1.png": "cat", "b.png": "dog"}
