import json

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, Found, Study
from ae_pipelines.tuning.space import Among, Range, Space
from ae_pipelines.tuning.trial import Outcome

SPACE = Space(
    name="small",
    fields={
        "model.latent_size": Range(low=2, high=16),
        "model.net.widths": Among(choices={"narrow": [8], "wide": [32, 16]}),
    },
)


def complete(number, **measures):
    return Outcome(number, "complete", {"model.latent_size": 2 + number}, [0.5, 0.25], measures, 1.5)


def study(outcomes, objectives=("overlap",), higher_is_better=(True,)):
    return Study("abc", "small", "digits", SPACE, [*objectives], [*higher_is_better], outcomes, 12.0)


def test_the_best_trial_is_the_best_of_the_complete_ones_and_of_equals_the_first():
    lost = [Outcome(0, "failed", {}, [], error="no"), Outcome(4, "pruned", {}, [0.1])]
    outcomes = sorted([*lost, *(complete(n, mse=v) for n, v in [(1, 3.0), (2, 1.0), (3, 1.0)])], key=lambda o: o.number)
    assert study(outcomes, ["mse"], [False]).best() == [2]
    assert study(outcomes, ["mse"], [True]).best() == [1]
    assert study(lost).best() == []


def test_the_front_has_every_trial_that_no_other_beats_and_of_equal_ones_the_first():
    values = np.random.default_rng(0).integers(0, 9, (15, 3)).repeat(2, axis=0).astype(float)
    outcomes = [complete(n, a=a, b=b, c=c) for n, (a, b, c) in enumerate(values)]
    found = study(outcomes, ["a", "b", "c"], [True, False, True]).best()
    signed = values * [1, -1, 1]

    def beaten(n):
        others = (signed >= signed[n]).all(axis=1)
        return (others & (signed > signed[n]).any(axis=1)).any() or (signed[:n] == signed[n]).all(axis=1).any()

    assert found == [n for n in range(30) if not beaten(n)]
    assert 1 < len(found) < 30


def test_the_table_has_objectives_before_other_measures_and_values_by_path():
    wide = Outcome(1, "complete", {"model.net.widths": [32, 16]}, [0.5], {"rank": 3.0, "seconds": 7.0, "overlap": 0.5})
    table = study([complete(0, overlap=0.25), wide, Outcome(2, "failed", {}, [], error="no", seconds=2.0)]).table()
    assert list(table) == [
        *("number", "state", "overlap", "rank", "seconds"),
        *("model.latent_size", "model.net.widths", "error"),
    ]
    assert table["seconds"].tolist() == [1.5, 7.0, 2.0], "a measure of this name stands in the same column"
    assert table["model.net.widths"][1] == [32, 16]
    assert table["overlap"][:2].tolist() == [0.25, 0.5]
    assert np.isnan(table["overlap"][2])


@pytest.mark.parametrize("sd", [0.5, np.nan])
def test_what_was_found_is_the_same_after_it_was_text(sd):
    failed = Outcome(1, "failed", {"model.net.widths": [8]}, [], error="no")
    compared = pd.DataFrame(
        {"who": [AS_IT_WAS, TUNED], "rows": TEST, "metric": "mse", "mean": [0.5, 0.25], "sd": sd, "seeds": 3}
    )
    found = Found(study([complete(0, overlap=0.25), failed]), 0, compared, "no better")
    again = Found.of(json.loads(json.dumps(found.plain(), allow_nan=False)))
    assert again.study == found.study
    pd.testing.assert_frame_equal(again.compared, compared)
    assert (again.winner, again.verdict) == (0, "no better")
