from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import familiarity
from ae_pipelines.downstream.familiarity import ErrorRange, RecogniseOptions
from ae_pipelines.latents.file import LatentsInMemory


def latents(errors=None, seen=None, splits=None):
    count = 3000 if errors is None else len(errors)
    table = pd.DataFrame({"sample_id": np.arange(count).astype(str), "split": splits or ["train"] * count})
    table["label"] = None
    table["seen"] = seen if seen is not None else np.zeros(count, bool)
    if errors is not None:
        table["reconstruction_error"] = np.asarray(errors, np.float32)
    return LatentsInMemory(table, np.zeros((count, 2), np.float32), {"encoder_sha256": "mine"})


def test_the_range_leaves_out_a_thousandth_at_both_ends_of_held_out_rows():
    seen, splits = np.arange(3003) < 1001, ["train"] * 2002 + ["test"] * 1001
    found = ErrorRange.of(latents(np.r_[np.full(1001, 9e6), np.arange(1001), np.full(1001, 9e6)], seen, splits))
    assert (found.low, found.high) == pytest.approx((1, 999))
    assert found.outside(np.array([0, 1, 500, 999, 1000, np.nan])).tolist() == [True, False, False, False, True, True]


def test_other_data_are_told_from_more_of_the_same():
    draw = np.random.default_rng(0)
    own = latents(draw.gamma(4, 1, 20_000), splits=["train"] * 10_000 + ["test"] * 10_000)

    def judged(errors):
        found = familiarity.familiarity([str(row) for row in range(len(errors))], errors, ErrorRange.of(own))
        metrics = familiarity.familiarity_metrics(found, own)
        return metrics, familiarity.verdict(metrics)

    metrics, said = judged(draw.gamma(4, 1, 5000))
    assert metrics["share_outside"] == pytest.approx(0.002, abs=0.002)
    assert metrics["own_share_outside"] == pytest.approx(0.002, abs=0.002)
    assert said.startswith("this encoder was trained on data like this: ")
    metrics, said = judged(draw.gamma(4, 10, 5000))
    assert metrics["share_outside"] > 0.9
    assert said.startswith("this encoder was not trained on data like this: ")
    metrics, said = judged(np.r_[draw.gamma(4, 1, 4000), draw.gamma(4, 10, 1000)])
    assert said.startswith("some of these samples are not like the data")


def test_an_encoder_without_errors_cannot_be_asked():
    with pytest.raises(InputError, match="have no reconstruction_error"):
        ErrorRange.of(latents())


@pytest.mark.parametrize(
    ("trained", "message"),
    [
        (None, "give as trained the data folder of the run"),
        ("data/../data", "are the same folder, data: the other data would replace the samples"),
    ],
)
def test_the_trained_encoder_lies_in_a_folder_of_its_own(trained, message):
    with pytest.raises(InputError, match=message):
        RecogniseOptions(trained=trained, data_dir=Path("data")).check()


def test_with_normal_labels_neither_the_range_nor_the_own_share_know_anomalies():
    draw = np.random.default_rng(0)
    normal, odd = draw.gamma(4, 1, 4000), draw.gamma(4, 100, 4000)
    own = latents(np.r_[normal, odd], splits=["train", "test"] * 4000)
    own.table["label"] = ["3"] * 4000 + ["8"] * 4000
    own.metadata["normal_labels"] = '["3"]'
    known = ErrorRange.of(own)
    assert known.high < normal.max() * 1.01
    found = familiarity.familiarity([str(row) for row in range(4000)], odd, known)
    metrics = familiarity.familiarity_metrics(found, own)
    assert metrics["share_outside"] > 0.99
    assert metrics["own_share_outside"] < 0.01
