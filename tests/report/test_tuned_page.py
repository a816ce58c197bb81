"""The page of a study: what it says and draws, of usual studies and of odd ones."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import tuned_by_hand as by_hand

from ae_pipelines.report.tuned import compared, drawn, importance, rows
from ae_pipelines.report.tuned.fields import Field, short_names
from ae_pipelines.report.tuned.page import page
from ae_pipelines.report.tuned.trials import Trials
from ae_pipelines.tuning.results import AS_IT_WAS, TEST, TUNED, VALIDATION
from ae_pipelines.tuning.space import Among, Range, Space
from ae_pipelines.tuning.trial import Outcome

NASTY = """"><script>alert('1')</script>&amp;"""


@pytest.fixture(autouse=True)
def one_small_forest(monkeypatch):
    monkeypatch.setattr(importance, "FORESTS", 1)
    monkeypatch.setattr(importance, "TREES", 8)


def trials(study=None) -> Trials:
    study = by_hand.study() if study is None else study
    return Trials(study, (study.best() or [0])[-1])


def test_the_page_shows_verdict_and_all_trials_and_loads_nothing():
    found = by_hand.found()
    text = page(found)
    assert found.verdict in text
    assert len(re.findall(r'<tr class="of-[\w-]+" data-trial="\d+"', text)) == 40
    assert not re.search(r'(src|href)="(?!#)', text)
    assert "style=" not in text
    assert len(text) < 250_000


def test_validation_and_test_rows_are_kept_apart_and_each_difference_is_judged_by_its_noise():
    tables = compared.tables(by_hand.found())
    validation, test = tables.values()
    assert list(tables) == [compared.TITLES[VALIDATION], compared.TITLES[TEST]]
    assert [(row.difference, row.verdict) for row in validation] == [("+0.046", "better")]
    assert {row.name: row.verdict for row in test} == {
        "classify/accuracy": "better",
        "few_labels/error_with_100_labels": "better",  # less is better
        "reconstruction/mse": "noise",
    }
    assert test[0].before == "90.50 ± 0.30\u00a0%"


def test_a_winner_that_is_worse_on_test_rows_is_called_so():
    rows_ = [
        {"who": who, "rows": TEST, "metric": "reconstruction/mse", "mean": mean, "sd": 0.001, "seeds": 3}
        for who, mean in ((AS_IT_WAS, 0.01), (TUNED, 0.02))
    ]
    (row,) = compared.tables(by_hand.found(compared=pd.DataFrame(rows_)))[compared.TITLES[TEST]]
    assert (row.verdict, row.deviations) == ("worse", "10.0")


def test_values_of_the_winner_stand_beside_those_of_the_recipe():
    values = {one.path: one for one in compared.values(trials())}
    assert values["model.net.widths"].before == "narrow (250-100)"
    assert values["model.beta"].before == "—"
    assert values["model.latent_size"].changed
    assert values["model.beta"].between.endswith("where model.kind is vae")


def test_the_best_so_far_only_gets_better():
    chart = drawn.history(trials(), trials().objectives[0])
    heights = [float(pair.split(",")[1]) for pair in re.search(r'best-so-far" points="([^"]*)', chart)[1].split()]
    assert len(heights) > 4
    assert (np.diff(heights) <= 0).all()  # in SVG y grows downwards
    assert chart.count('class="trial pruned"') == len(by_hand.PRUNED)
    assert chart.count('class="trial failed"') == len(by_hand.FAILED)


def test_a_trial_far_worse_than_others_lies_at_the_edge_and_leaves_them_room():
    study = by_hand.study()
    outcomes = [replace(one, measures={"classifier": 0.01}) if one.number == 4 else one for one in study.outcomes]
    with_odd, objective = trials(replace(study, outcomes=outcomes)), trials().objectives[0]
    assert with_odd.far_off() == {4}
    assert trials().far_off() == set()
    assert with_odd.at(objective, outcomes[4]) > 0.7
    assert "at the edge of charts: trial 4." in page(by_hand.found(with_odd.study))


def test_the_field_that_matters_is_the_most_important_and_others_are_no_more_than_chance():
    found = importance.importances(trials(), trials().objectives[0])
    assert found.fields[0].path == "model.latent_size"
    assert found.fields[0].share > 0.9 > 0.1 > found.by_chance
    assert sum(one.share for one in found.fields) + found.by_chance == pytest.approx(1)


def test_of_few_trials_or_equal_ones_nothing_is_said_of_importance():
    few = trials(by_hand.study(9, pruned=(), failed=()))
    assert importance.importances(few, few.objectives[0]) is None
    same = [replace(one, measures={"classifier": 0.5}) for one in by_hand.study(pruned=(), failed=()).outcomes]
    equal = trials(replace(by_hand.study(), outcomes=same))
    assert importance.importances(equal, equal.objectives[0]) is None
    assert "cannot be told" in page(by_hand.found(equal.study))


def test_of_two_objectives_the_front_is_drawn():
    two = trials(by_hand.study(objectives=("classifier", "seconds")))
    chart = drawn.front(two, *two.objectives)
    shown = {int(number) for number in re.findall(r'class="trial (?:front|tuned|as-it-was)" data-trial="(\d+)"', chart)}
    assert shown - {0} == set(two.study.best()) - {0}
    assert len(re.search(r'"joined" points="([^"]*)"', chart)[1].split()) == len(two.study.best())


@pytest.mark.parametrize("count", [1, 2, 200])
def test_studies_of_any_length_are_shown(count):
    text = page(by_hand.found(by_hand.study(count)))
    assert text.count('class="keep"') == count
    assert "nan" not in re.findall(r'points="[^"]*"', text).__str__()
    assert len(text) < 700_000


def test_a_study_in_which_no_trial_is_complete_is_shown():
    text = page(by_hand.found(by_hand.study(3, pruned=(0, 1), failed=(2,))))
    assert "no trial is complete" in text
    assert by_hand.ERROR in text


def test_names_from_data_are_text_and_long_ones_are_cut():
    path, choice = f"model.{NASTY}." + "long_" * 60, NASTY + "choice " * 40
    space = Space(
        name=NASTY, fields={path: Range(low=0, high=1), f"{path}.kind": Among(choices={choice: "a", "b": "b"})}
    )
    outcomes = [
        Outcome(
            number, "complete", {path: 0.1 * number, f"{path}.kind": "ab"[number % 2]}, [1.0], {NASTY: number * 1.0}
        )
        for number in range(11)
    ]
    outcomes.append(Outcome(11, "failed", {path: None}, [], error=f"{NASTY}\n" + "trace " * 900))
    study = replace(
        by_hand.study(1), recipe=NASTY, samples=NASTY, space=space, objectives=[NASTY], outcomes=outcomes, id=NASTY
    )
    text = page(by_hand.found(study, verdict=NASTY))
    assert text.count("<script>") == 1
    assert "alert(&#39;1&#39;)" in text
    assert max(map(len, re.findall(r"<text[^>]*>([^<]*)</text>", text))) < 90


def test_values_outside_the_space_have_a_place_too():
    field = Field.of("a", Among(choices={"small": [1], "large": [2]}), [[1], [3]])
    assert field.choices == ("small", "large", "3")
    assert field.place({"a": [3]}) == 2
    assert field.place({}) is None
    number = Field.of("b", Range(low=0.1, high=1, log=True), [0.0, None, 1])
    assert not number.axis.log  # 0 has no logarithm
    assert (number.place({"b": None}), number.words({"b": None})) == (None, "none")


def test_paths_are_shortened_as_far_as_they_stay_apart():
    assert short_names(["model.net.widths", "model.kind", "training.kind"]) == ["widths", "model.kind", "training.kind"]


def test_curves_leave_out_what_is_no_number():
    odd = Outcome(1, "failed", by_hand.OWN, [0.5, float("nan"), float("inf")])
    study = replace(by_hand.study(1), outcomes=[*by_hand.study(1).outcomes, odd])
    assert "nan" not in drawn.curves(trials(study))
    empty = replace(study, outcomes=[Outcome(0, "failed", by_hand.OWN, [])])
    assert drawn.curves(trials(empty)) is None


def test_a_curve_far_above_the_others_is_left_out_and_named():
    study = by_hand.study()
    outcomes = [replace(one, curve=[90.0, 80.0]) if one.number == 4 else one for one in study.outcomes]
    text = page(by_hand.found(replace(study, outcomes=outcomes)))
    assert "far larger: 4." in text
    assert drawn.curves(trials(study)).count("<polyline") == len(study.outcomes)


def test_trials_that_failed_alike_are_told_of_once():
    (failure,) = rows.failures(by_hand.study())
    assert failure.trials == "trials 7, 20"
