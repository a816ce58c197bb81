from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_contents import labelled, results_of, store_of
from test_packed import unpacked

from ae_pipelines.report.page_data.fields import Field, category, fields_of, number
from ae_pipelines.report.page_data.packed import Block
from ae_pipelines.report.results import Results
from ae_pipelines.samples.spec import SampleSpec


@pytest.fixture
def results(tmp_path: Path) -> Results:
    vectors = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    return results_of(store_of(tmp_path, vectors), vectors)


def names(fields: list[Field]) -> list[str]:
    return [field.name for field in fields]


def test_the_first_field_is_the_label_and_where_there_is_none_the_group(results: Results):
    results.clusters = pd.DataFrame({"cluster": [0, 1, 0, -1, 1, 10], "distance": np.arange(6.0)})
    rows = np.arange(6)
    assert names(fields_of(results, rows))[:2] == ["group", "group_distance"]
    assert names(fields_of(labelled(results, ["a", None, "b", "a", None, "b"]), rows))[:2] == ["label", "group"]


def test_groups_are_ordered_as_numbers_and_noise_is_unknown(results: Results):
    results.clusters = pd.DataFrame({"cluster": [2, 10, 2, -1, 1, 10], "distance": np.arange(6.0)})
    group = fields_of(results, np.arange(6))[0]
    block = Block()

    about = group.packed(block)

    assert about["names"] == ["1", "2", "10", ""]
    assert about["unknown"] == "noise"
    assert unpacked(block)["field/group"].tolist() == [1, 2, 1, 3, 0, 2]


def test_a_prediction_is_right_wrong_or_of_a_sample_without_a_label(results: Results):
    labelled(results, ["a", "b", None, "b", "a", None])
    predicted = pd.Series(["a", "a", "a", "b", "b", "b"], dtype="str")
    results.predictions = pd.DataFrame({"predicted": predicted, "probability": np.linspace(0.5, 1, 6)})
    right = next(field for field in fields_of(results, np.array([0, 1, 2])) if field.name == "right")
    assert right.values.tolist() == ["right", "wrong", ""]


def test_fields_are_those_of_the_rows_asked_for(results: Results):
    results.anomalies = pd.DataFrame({"score": np.arange(6.0), "anomaly": np.arange(6) > 3})
    found = {field.name: field.values.tolist() for field in fields_of(results, np.array([1, 5]))}
    assert found["anomaly_score"] == [1.0, 5.0]
    assert found["anomaly"] == ["no", "yes"]


def test_more_than_256_categories_take_two_bytes_each():
    block = Block()
    about = category("city", "City", [f"city {number}" for number in range(300)]).packed(block)
    assert len(about["names"]) == 300
    assert block.index["field/city"]["type"] == "uint16"


def test_the_ramp_ends_where_nearly_all_numbers_lie():
    values = np.append(np.linspace(0, 1, 999), 1e6)
    about = number("error", "Error", values).packed(Block())
    assert 0 < about["low"] < about["high"] < 1


def test_what_has_a_value_of_its_own_for_each_sample_is_no_category():
    assert not category("id", "Id", [f"{number}" for number in range(6000)]).usable
    assert not number("empty", "Empty", np.full(3, np.nan)).usable


def test_a_column_of_a_table_keeps_six_digits():
    block = Block()
    values = np.array([2023.0, 2024.0000001, 123_456.0, -0.00123456, 0.0, np.nan])
    Field("column paid", "paid", "number", values, is_column=True).packed(block)
    found = unpacked(block)["field/column paid"]
    assert found[:5].tolist() == np.array([2023, 2024, 123_456, -0.00123456, 0], np.float32).tolist()
    assert np.isnan(found[5])


def test_a_spec_of_a_table_is_known_by_the_names_of_its_features():
    from ae_pipelines.report.page_data.table_columns import are_tables

    assert are_tables(SampleSpec(shape=(2,), dtype="float32", preprocessing={"columns": ["a", "b"]}))
    assert not are_tables(SampleSpec(shape=(2,), dtype="float32"))
