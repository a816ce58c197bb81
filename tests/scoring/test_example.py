"""One sample as someone would send it."""

import numpy as np
import pandas as pd
import pytest
from making import ArraySource, images

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.table import Table
from ae_pipelines.scoring.example import LARGEST, raw_example

MIXED = pd.DataFrame(
    {
        "age": [31, 47, 22, 58, 39, 64] * 10,
        "since": ["2024-02-29", "2023-07-01", "2022-01-15", "2024-12-24", "2021-03-03", "2020-10-10"] * 10,
        "kind": ["a", "b", "a", "c", "b", "a"] * 10,
        "member": [True, False, True, True, False, False] * 10,
        "income": [None, 2_000.5, 1_500.25, 990.0, 12.125, 8_000.0] * 10,
    }
).assign(height=np.linspace(1.5, 2.0, 60).round(3))


@pytest.mark.parametrize("scaling", ["standardise", "quantile"])
def test_a_row_of_a_table_is_given_as_it_was_in_the_file(tmp_path, scaling):
    MIXED.to_csv(tmp_path / "people.csv", index=False)
    samples = write_store(tmp_path / "store", Table(path=tmp_path / "people.csv", scaling=scaling))
    (found,) = raw_example(samples).to_dict("records")
    expected = MIXED.iloc[0].to_dict()
    assert found["since"] == "2024-02-29T00:00:00"
    assert found["income"] is None
    assert found["height"] == pytest.approx(expected["height"], abs=0.005)
    same = ("age", "kind", "member")
    assert {name: found[name] for name in same} == {name: expected[name] for name in same}


def test_standardised_numbers_are_given_as_they_were(tmp_path):
    frame = pd.DataFrame({"grams": np.linspace(10, 99, 50).round(2), "metres": np.linspace(1e3, 2e3, 50).round(2)})
    frame.to_csv(tmp_path / "stones.csv", index=False)
    samples = write_store(tmp_path / "store", Table(path=tmp_path / "stones.csv"))
    assert raw_example(samples).to_dict("records") == frame.head(1).to_dict("records")


def test_an_image_is_given_as_it_is_stored_unless_it_is_too_large_to_be_shown(tmp_path):
    small = images(4, (3, 6, 5))
    samples = write_store(tmp_path / "small", ArraySource(small))
    np.testing.assert_array_equal(raw_example(samples), small[:1])
    large = images(4, (1, 1, LARGEST + 1))
    assert raw_example(write_store(tmp_path / "large", ArraySource(large))) is None
