"""What a request holds, and what is refused before it takes memory."""

import json

import pandas as pd
import pytest

from ae_pipelines.tracking.endpoint.requests import Refusal, answer, of_csv, of_json


def test_samples_are_given_as_they_were_sent():
    assert of_json('{"instances": [[1, 2.5], ["a", null]]}') == [[1, 2.5], ["a", None]]
    assert of_json('{"inputs": {"a": [1], "b": [2]}, "params": {}}') == {"a": [1], "b": [2]}
    assert of_json('{"dataframe_records": [{"a": 1}, {"b": 2}]}') == [{"a": 1}, {"b": 2}]
    frame = pd.DataFrame({"a": [1, 3], "b": ["x", "y"]})
    split = json.dumps({"dataframe_split": json.loads(frame.to_json(orient="split"))})
    pd.testing.assert_frame_equal(of_json(split), frame)
    assert of_json('{"dataframe_split": {"data": []}}').empty
    pd.testing.assert_frame_equal(of_csv(frame.to_csv(index=False)), frame)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"instances": [' + "9" * 100_000 + "]}", r"not valid JSON: Exceeds the limit \(4300 digits\)"),
        ('{"instances": [', "not valid JSON: Expecting value"),
        ("[1]", r"exactly one of the input fields .* given \[1\]"),
        ('{"inputs": 1, "instances": 1}', "exactly one of the input fields"),
        ('{"samples": 1}', "given a record with samples"),
        ('{"instances": [' + "0," * 2_000_000 + "0]}", "2,000,001 values in 2 lists"),
        ('{"instances": [' + "[]," * 400_000 + "[]]}", "in 400,003 lists and records"),
        (json.dumps({"instances": [{f"a{n}": 1} for n in range(3_000)]}), "a table of 3,000 rows and 3,000 columns"),
        (json.dumps({"dataframe_records": [{f"a{n}": 1} for n in range(3_000)]}), "3,000 rows and 3,000 columns"),
        (json.dumps({"inputs": {f"a{n}": 1 for n in range(50_001)}}), "1 rows and 50,001 columns"),
        ('{"dataframe_records": [1]}', r"a list of records, given \[1\]"),
        ('{"dataframe_split": {"data": [[1, 2], [3]]}}', "as many cells as there are columns"),
        ('{"dataframe_split": [1]}', "a record of columns and data"),
    ],
)
def test_json_that_would_take_memory_or_holds_no_samples_is_refused(text, reason):
    with pytest.raises(Refusal, match=reason) as refused:
        of_json(text)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a," * 50_000 + "a\n1\n", "50,001 columns"),
        ('"a\n"' + ",b" * 10_000 + "\n1" * 1_000, "1,002 rows and 10,001 columns"),
        ("a\n" * 2_000_001, "at most 1,000,000"),
        ('a,b\n1,"2', "not valid CSV"),
        ("", "not valid CSV"),
    ],
)
def test_csv_that_would_take_memory_or_holds_no_rows_is_refused(text, reason):
    with pytest.raises(Refusal, match=reason):
        of_csv(text)


@pytest.mark.parametrize("kind", [None, "", "application/vnd.apache.parquet", "application/json; charset=latin1"])
def test_another_type_of_content_is_answered_with_415(kind):
    assert answer(b"{}", kind, None).status == 415


def test_what_is_no_utf_8_is_refused():
    with pytest.raises(Refusal, match="not UTF-8"):
        answer(b'{"instances": ["\xff"]}', "application/json", None)
