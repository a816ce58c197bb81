from types import SimpleNamespace

import numpy as np

from ae_pipelines.report.page_data.table_columns import RARE, table_columns
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.tables import features, treatments
from ae_pipelines.samples.tables.treatments import Treating

TYPES = {"age": "number", "smokes": "boolean", "since": "date", "kind": "category"}
ROWS = {
    "age": np.array([20.0, 35.0, np.nan, 61.0, 44.0, 35.0]),
    "smokes": np.array([0.0, 1.0, 1.0, 0.0, np.nan, 1.0]),
    "since": np.array([19_000.0, 19_100.0, 19_250.0, np.nan, 19_400.0, 19_001.0]),
    "kind": np.array(["cat", "dog", "cat", "dog", "", "eel"], object),
}


def restored(scaling: str) -> dict[str, list]:
    preprocessing = treatments.learn(ROWS, TYPES, Treating(scaling=scaling))
    values = features.features(ROWS, preprocessing)
    spec = SampleSpec(shape=values.shape[1:], dtype="float32", preprocessing=preprocessing)
    samples = SimpleNamespace(spec=spec, take=lambda rows: values[rows])
    return {field.title: field.values.tolist() for field in table_columns(samples, np.arange(6), most=9)}


def test_a_table_is_restored_from_what_a_model_takes():
    found = restored("standardise")
    np.testing.assert_allclose(found["age"], ROWS["age"], rtol=1e-5)
    assert found["smokes"] == ["false", "true", "true", "false", "", "true"]
    np.testing.assert_allclose(found["since"], ROWS["since"], atol=0.01)
    assert found["kind"][:4] == ["cat", "dog", "cat", "dog"]
    assert found["kind"][5] == RARE


def test_ranks_are_turned_back_into_numbers():
    known = np.isfinite(ROWS["age"])
    np.testing.assert_allclose(np.array(restored("quantile")["age"])[known], ROWS["age"][known], atol=3)


def test_columns_of_numbers_alone_are_scaled_back():
    preprocessing = {"columns": ["a", "b"], "mean": [10.0, 0.0], "standard_deviation": [2.0, 1.0]}
    spec = SampleSpec(shape=(2,), dtype="float32", preprocessing=preprocessing)
    samples = SimpleNamespace(spec=spec, take=lambda rows: np.array([[1, 5], [-1, 6]], np.float32)[rows])

    a, b = table_columns(samples, np.array([0, 1]), most=9)

    assert (a.title, a.values.tolist()) == ("a", [12.0, 8.0])
    assert b.values.tolist() == [5.0, 6.0]
    assert len(table_columns(samples, np.array([0]), most=1)) == 1
