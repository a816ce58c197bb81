"""What a winner is worth: fresh trainings of it and of the recipe as it was, and the verdict."""

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.numbers import with_deviation
from ae_pipelines.tuning import winner as winners
from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, VALIDATION, Found, Study
from ae_pipelines.tuning.space import Space
from ae_pipelines.tuning.study import run_study
from ae_pipelines.tuning.trial import Outcome
from ae_pipelines.tuning.verdict import metrics, told, verdict
from ae_pipelines.tuning.winner import COLUMNS, found, winner_of, winning

SIZE = {"fields": {"model.latent_size": {"low": 1, "high": 8}}}


def study(*values, names=("good",), higher=(True,), state="complete"):
    outcomes = [
        Outcome(number, state, {"model.latent_size": number + 1}, [1.0], dict(zip(names, each, strict=True)))
        for number, each in enumerate(values)
    ]
    return Study("0123", "small", "digits", Space.model_validate(SIZE), list(names), list(higher), outcomes, 9.0)


def compared(was, tuned, metric="good"):
    rows = [(who, VALIDATION, metric, *of, 3) for who, of in ((AS_IT_WAS, was), (TUNED, tuned)) if of]
    return pd.DataFrame(rows, columns=COLUMNS)


@pytest.mark.parametrize(
    ("was", "tuned", "higher", "better"),
    [
        ((0.5, 0.01), (0.53, 0.014), True, True),
        ((0.5, 0.01), (0.53, 0.016), True, False),
        ((0.5, 0.016), (0.53, 0.01), True, False),
        ((0.5, 0.01), (0.4, 0.01), True, False),
        ((0.5, 0.01), (0.4, 0.01), False, True),
        ((0.5, 0.0), (0.6, 0.0), True, True),
        ((0.5, 0.01), (np.nan, np.nan), True, False),
    ],
)
def test_a_winner_is_better_beyond_two_of_the_larger_deviation(was, tuned, higher, better):
    said = verdict(study((1,), (2,), higher=(higher,)), 1, compared(was, tuned))
    assert said.startswith(f"small tuned is {'' if better else 'not '}better than as it was")
    assert f"good {with_deviation(*was)} as it was, {with_deviation(*tuned)} tuned" in said
    assert "\n" not in said


def test_where_the_recipe_as_it_was_is_best_the_verdict_says_so():
    said = verdict(study((2,), (1,)), 0, compared((0.5, 0.01), None))
    assert said == "small as it was is the best of 2 trials: good 0.500 ± 0.010"


def test_of_a_front_the_winner_is_the_best_in_the_first_objective():
    two = {"names": ("mse", "good"), "higher": (False, True)}
    assert winner_of(study((0.3, 1.0), (0.1, 0.2), (0.2, 0.5), (0.4, 0.9), **two)) == 1
    assert winner_of(study((0.1, 1.0), (0.1, 1.0), **two)) == 0


def test_a_study_in_which_no_trial_was_complete_has_no_winner():
    with pytest.raises(InputError, match="none of the 1 trials of small was complete"):
        winner_of(study((1,), state="pruned"))


def test_the_winner_and_the_recipe_as_it_was_are_trained_with_fresh_seeds_and_judged_on_both_kinds_of_rows(
    few, tiny, options, tmp_path, monkeypatch
):
    chosen = options(trials=3, final_seeds=2)
    done = run_study(few, tiny, chosen, tmp_path)
    result = found(few, few, tiny, done, chosen, tmp_path)
    assert result.winner == min(done.complete, key=lambda one: one.measures["small_mse"]).number != 0
    table = result.compared.set_index(["who", "rows", "metric"])
    assert {*table.index.get_level_values("metric")} == {"small_mse", "reconstruction/mse"}, "there are no labels"
    assert {*table.index.get_level_values("who")} == {AS_IT_WAS, TUNED}
    assert (table["seeds"] == 2).all()
    assert (table["sd"] > 0).all(), "seeds differ"
    assert result.verdict in told(result, "2026-01-02")
    assert "study " + done.id in told(result, "2026-01-02")[0]
    assert (
        winning(result, tiny).model.check()["latent_size"] == done.outcomes[result.winner].values["model.latent_size"]
    )

    named = metrics(result)
    assert named["test_reconstruction.mse_tuned_sd"] == table.loc[(TUNED, TEST, "reconstruction/mse"), "sd"]
    assert named["trials"] == 3

    def never(*_):
        raise AssertionError("what is there is not trained again")

    monkeypatch.setattr("ae_pipelines.training.loop.train", never)
    again = found(few, few, tiny, done, chosen, tmp_path)
    pd.testing.assert_frame_equal(again.compared, result.compared)
    assert Found.of(again.plain()).verdict == result.verdict


def test_what_fails_at_the_end_is_said_and_what_was_found_stays(few, tiny, options, tmp_path, costless, monkeypatch):
    def refused(samples, board, *_):
        asked.append([*board.recipes])
        raise InputError("it collapses")

    asked = []
    chosen = options(trials=3, final_seeds=2)
    done = run_study(few, tiny, chosen, tmp_path)
    monkeypatch.setattr(winners, "scores", refused)
    result = found(few, few, tiny, done, chosen, tmp_path)  # made-up trials fail where a value is not given
    assert asked == [[TUNED]], "what fails as a trial is not trained on all"
    assert f"with seed {tiny.training.seed + 1} a training failed: KeyError" in result.verdict
    assert "is not better" in result.verdict
    assert {*result.compared["rows"]} == {VALIDATION}


def test_the_seeds_at_the_end_are_not_that_of_the_trials(tiny):
    seeds = winners.fresh_seeds(tiny, 3)
    assert len({*seeds, tiny.training.seed}) == 4
