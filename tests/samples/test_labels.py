import datetime
import logging

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.classes import oddities, tell_classes
from ae_pipelines.samples.labels import LabelReader, label_name


@pytest.mark.parametrize(
    "value",
    [None, "", " \t\n", np.nan, float("nan"), np.float32("nan"), pd.NA, pd.NaT, np.datetime64("NaT"), b"", b" "],
)
def test_null_nan_and_blank_are_no_label(value):
    assert label_name(value) is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1.0", "1"),
        (" 1.00 ", "1"),
        (-2.0, "-2"),
        (-0.0, "0"),
        (2**60, str(2**60)),
        (1.5, "1.5"),
        (np.float32(0.1), "0.1"),
        (np.int8(-1), "-1"),
        (np.uint64(2**63), str(2**63)),
        ("007", "007"),
        ("01.0", "01.0"),
        ("1.", "1."),
        ("1e3", "1e3"),
        ("1.0.0", "1.0.0"),
        (True, "true"),
        ("True", "true"),
        ("TRUE", "TRUE"),
        (1e16, "10000000000000000"),
        ("1e+16", "10000000000000000"),
        (np.float32(2**24), "16777216"),
        ("1.5e+16", "15000000000000000"),
        (pd.Timestamp("2020-01-31"), "2020-01-31"),
        (datetime.date(2020, 1, 31), "2020-01-31"),
        (np.datetime64("2020-01-31T00:00:00"), "2020-01-31"),
        (pd.Timestamp("2020-01-31 12:30"), "2020-01-31 12:30:00"),
        (np.False_, "false"),
        (" cat\n", "cat"),
        ("nan", "nan"),
        ("no", "no"),
        ("øl".encode(), "øl"),
        (np.str_("x y"), "x y"),
    ],
)
def test_a_label_has_the_same_name_from_every_type(value, name):
    assert label_name(value) == name


@pytest.mark.parametrize("value", [["a"], {"a": 1}, np.array([1]), b"\xff", "\ud800", {1}])
def test_what_is_no_name_is_refused(value):
    with pytest.raises(InputError, match="label"):
        label_name(value)


def test_a_reader_takes_names_for_no_label_and_says_what_it_did(caplog):
    caplog.set_level(logging.INFO)
    reader = LabelReader(("-1", "unsorted", "gone"))
    assert reader.names([-1, "-1", -1.0, "unsorted", " cat", "cat", None, 3]) == [*[None] * 4, "cat", "cat", None, "3"]
    assert reader.names(["cat ", " cat"]) == ["cat", "cat"]
    reader.tell()
    assert "stripped the blanks around 3 labels, such as ' cat', 'cat '" in caplog.text
    assert "no sample has the label 'gone'" in caplog.text
    assert "3 '-1', 1 'unsorted'" in caplog.text


def test_names_for_no_label_are_compared_whatever_their_unicode_form():
    assert LabelReader(("Ka\u0308tze",)).names(["K\u00e4tze", "Ka\u0308tze", "cat"]) == [None, None, "cat"]


def test_a_reader_of_plain_labels_is_silent(caplog):
    caplog.set_level(logging.INFO)
    reader = LabelReader()
    assert reader.names(["cat", None, 1]) == ["cat", None, "1"]
    reader.tell()
    assert caplog.text == ""


def test_the_ten_largest_classes_are_listed_with_the_rest(caplog):
    caplog.set_level(logging.INFO)
    tell_classes({f"c{number:02d}": 20 + number for number in range(12)}, 1000)
    assert "labels: 306 of 1,000 samples have one, 12 classes: 'c11' 31, " in caplog.text
    assert "'c02' 22, and 2 more with 41" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_no_label_at_all_is_said(caplog):
    caplog.set_level(logging.INFO)
    tell_classes({}, 12)
    assert "none of the 12 samples has one" in caplog.text


BALANCED = {"cat": 50, "dog": 50}


@pytest.mark.parametrize(
    ("counts", "warning"),
    [
        (
            {**BALANCED, "unsorted": 60},
            r"label .unsorted. \(60\) of a class, or without.*source.unlabelled=\[.unsorted.\] says",
        ),
        ({**BALANCED, "None": 20, "?": 30}, r'source.unlabelled=\["None","\?"\]'),
        ({"-1": 50, "0": 40, "1": 40}, r"label .-1. \(50\) of a class, or without.*\[.-1.\]"),
        ({"-1": 50, "0": 40, "nan": 40}, r'source.unlabelled=\["nan","-1"\]'),
        ({"cat": 90, "dog": 10}, "90% of the labelled samples are 'cat'"),
        ({"cat": 90}, "all 90 labelled samples are 'cat': there is nothing to classify"),
        ({**BALANCED, "bird": 9, "cow": 1}, "2 of 4 classes have fewer than 10 samples.*'cow' 1, 'bird' 9"),
        ({"train": 60, "test": 50}, "classes are called 'test', 'train'.*layout_of_folders=splits"),
        ({"Ground_Truth": 60, "good": 50}, "called 'Ground_Truth'"),
        ({"Cat": 60, "cat": 50}, r"'Cat' \(60\) and 'cat' \(50\)"),
        ({"big cat": 60, "big_cat": 50}, "differ only by case, blanks"),
        ({"é": 60, "e\u0301": 50}, "the form of a letter"),
        ({f"id{number}": 1 for number in range(100)}, "100 classes in 100 labelled samples: such labels are ids"),
    ],
)
def test_what_is_odd_about_classes_is_told(counts, warning):
    (found,) = oddities(counts)
    with pytest.raises(AssertionError, match=warning):
        raise AssertionError(found)


@pytest.mark.parametrize("counts", [BALANCED, {"-1": 50, "cat": 50}, {"0": 40, "1": 50}, {"-1": 30, "1.5": 30}])
def test_ordinary_classes_are_not_odd(counts):
    assert oddities(counts) == []


@pytest.mark.parametrize("unlabelled", [(), ("x",)])
def test_what_is_settled_is_not_asked_again(unlabelled):
    assert oddities({"-1": 50, "0": 40, "1": 40}, unlabelled) == []
