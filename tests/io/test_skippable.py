"""Results that are skipped: an earlier file is gone, the reason is there, and a new result takes its place."""

import pandas as pd
import pytest
from kedro.io import DatasetError
from making import names_in
from matplotlib.figure import Figure

from ae_pipelines.base.skipped import NotAskedFor, Skipped
from ae_pipelines.downstream.calibration import Temperature
from ae_pipelines.io.atomic_datasets import JSONDataset, MatplotlibDataset, ParquetDataset
from ae_pipelines.io.skops_model import SkopsDataset

NOTHING = Skipped("no labels: give some", "abc")
RESULTS = {
    "json": (JSONDataset, {"accuracy": 0.5}),
    "parquet": (ParquetDataset, pd.DataFrame({"a": [1]})),
    "png": (MatplotlibDataset, Figure()),
    "skops": (SkopsDataset, Temperature(2.0)),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_skipped_result_takes_the_place_of_an_earlier_one_and_the_other_way_round(tmp_path, name):
    kind, result = RESULTS[name]
    path = tmp_path / f"result.{name}"
    dataset = kind(filepath=str(path))
    dataset.save(result)
    assert dataset.skipped() is None
    dataset.save(NOTHING)
    assert not path.exists()
    assert kind(filepath=str(path)).load() == NOTHING
    assert dataset.exists(), "it need not be made again"
    dataset.save(result)
    assert dataset.skipped() is None
    assert names_in(tmp_path) == [path.name]


def test_a_file_counts_before_the_note_that_a_kill_left_beside_it(tmp_path):
    dataset = JSONDataset(filepath=str(tmp_path / "a.json"))
    dataset.save(NOTHING)
    (tmp_path / "a.json").write_text('{"accuracy": 0.5}')
    assert dataset.load() == {"accuracy": 0.5}


def test_what_is_neither_there_nor_skipped_is_still_an_error(tmp_path):
    assert not JSONDataset(filepath=str(tmp_path / "a.json")).exists()
    with pytest.raises(DatasetError):
        JSONDataset(filepath=str(tmp_path / "a.json")).load()


def test_what_nobody_asked_for_leaves_an_earlier_result_as_it_is(tmp_path):
    dataset = JSONDataset(filepath=str(tmp_path / "a.json"))
    dataset.save(NotAskedFor("another kind"))
    assert not [*tmp_path.iterdir()]
    dataset.save({"a": 1})
    dataset.save(NotAskedFor("another kind"))
    assert dataset.load() == {"a": 1}
