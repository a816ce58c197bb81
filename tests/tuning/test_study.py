import errno
import itertools
import json
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from making import PATIENCE

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import in_order
from ae_pipelines.base.run import Run
from ae_pipelines.tuning import study as studies
from ae_pipelines.tuning import trial as trials
from ae_pipelines.tuning.objectives import OBJECTIVES
from ae_pipelines.tuning.space import Space
from ae_pipelines.tuning.study import run_study

EPOCHS = 6


def narrow():
    widths = {"choices": {"narrow": [8], "other": [7]}}
    rate = {"low": 1e-4, "high": 1e-3}
    return Space.model_validate(
        {
            "fields": {
                "model.latent_size": {"low": 1, "high": 8},
                "model.net.widths": widths,
                "training.learning_rate": rate,
            }
        }
    )


def without_times(study):
    return [replace(one, seconds=0.0, measures={**one.measures}) for one in study.outcomes]


def in_threads(delays):
    """As `in_processes`, in threads of this process which wait before they end."""

    def in_threads(function, common, items, workers, ahead, option):
        def slowly(asked):
            time.sleep(delays[asked.number])
            return function(common, asked)

        with ThreadPoolExecutor(workers) as pool:
            yield from in_order(pool, slowly, items, ahead)

    return in_threads


def test_trial_0_is_the_recipe_as_it_is_even_where_its_values_are_not_in_the_space(
    few, tiny, options, tmp_path, costless
):
    study = run_study(few, tiny, options(trials=3), tmp_path)
    first, *others = study.outcomes
    assert first.values["model.latent_size"] == 20
    assert first.values == options().space.own(tiny)
    assert trials.recipe_of(tiny, 0, first.values) is tiny
    assert all(1 <= one.values["model.latent_size"] <= 8 for one in others)


def test_a_study_that_was_interrupted_again_and_again_ends_as_an_undisturbed_one(
    few, tiny, options, tmp_path, costless
):
    undisturbed = run_study(few, tiny, options(), tmp_path / "undisturbed")
    assert {one.state for one in undisturbed.outcomes} == {"complete", "pruned", "failed"}
    heard = itertools.count(1)

    def interrupt(number, epoch):
        if next(heard) % 11 == 0:
            raise KeyboardInterrupt

    costless.append(interrupt)
    study, interrupted = None, 0
    while study is None:
        try:
            study = run_study(few, tiny, options(), tmp_path / "disturbed")
        except KeyboardInterrupt:
            interrupted += 1
    assert interrupted > 2
    assert without_times(study) == without_times(undisturbed)


def test_results_do_not_depend_on_which_of_several_trials_ends_first(
    few, tiny, options, tmp_path, costless, monkeypatch
):
    found = []
    for seed in range(2):
        delays = [random.Random(seed * 100 + number).uniform(0, 0.03) for number in range(9)]
        monkeypatch.setattr(studies, "in_processes", in_threads(delays))
        study = run_study(few, tiny, options(workers=3, trials=9), tmp_path / str(seed))
        assert [one.number for one in study.outcomes] == [*range(9)]
        found.append(without_times(study))
    assert found[0] == found[1]


@pytest.mark.parametrize("workers", [1, 3])
def test_a_trial_is_asked_for_when_those_before_it_have_been_told(
    few, tiny, options, tmp_path, costless, monkeypatch, workers
):
    known, drawn = {}, studies.Sampling.values

    def values(self, number, told, goals, under_way):
        known[number] = (len(told), len(under_way))
        return drawn(self, number, told, goals, under_way)

    monkeypatch.setattr(studies.Sampling, "values", values)
    monkeypatch.setattr(studies, "in_processes", in_threads([0.0] * 8))
    run_study(few, tiny, options(workers=workers, trials=8), tmp_path)
    told = {number: max(0, number + 1 - workers) for number in range(1, 8)}
    assert known == {number: (told[number], number - told[number]) for number in range(1, 8)}


@pytest.mark.parametrize("workers", [1, 3])
def test_more_trials_go_on_from_where_a_study_was(few, tiny, options, tmp_path, costless, monkeypatch, workers):
    monkeypatch.setattr(studies, "in_processes", in_threads([0.0] * 9))
    whole = run_study(few, tiny, options(trials=9, workers=workers), tmp_path / "whole")
    first = run_study(few, tiny, options(trials=5, workers=workers), tmp_path / "parts")
    heard = []
    costless.append(lambda number, epoch: heard.append(number))
    second = run_study(few, tiny, options(trials=9, workers=workers), tmp_path / "parts")
    assert first.id == second.id
    assert min(heard) == 5
    assert without_times(second) == without_times(whole)
    again = run_study(few, tiny, options(trials=9, workers=workers), tmp_path / "parts")
    assert again.outcomes == second.outcomes
    assert len(set(heard)) <= 4, "nothing was done again"


@pytest.mark.parametrize("change", [{"seed": 2}, {"workers": 2}, {"pruner": "none"}, {"objective": ["exactness"]}])
def test_whatever_trials_depend_on_makes_another_study(few, tiny, options, change):
    assert studies.study_id(few, tiny, options()) != studies.study_id(few, tiny, options(**change))
    assert studies.study_id(few, tiny, options()) == studies.study_id(few, tiny, options(trials=3, minutes=1))


def test_trials_that_were_judged_by_an_objective_of_another_meaning_are_another_study(few, tiny, options, monkeypatch):
    before = studies.study_id(few, tiny, options())
    monkeypatch.setattr(OBJECTIVES.maker("small_mse"), "title", "half the mean squared error")
    assert studies.study_id(few, tiny, options()) != before


def test_no_trial_begins_when_the_minutes_are_over_but_the_first(few, tiny, options, tmp_path, costless, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(studies.time, "monotonic", lambda: clock[0])

    def hear(number, epoch):
        clock[0] += 10.0

    costless.append(hear)
    assert len(run_study(few, tiny, options(minutes=1e-9, space=narrow(), pruner="none"), tmp_path).outcomes) == 1
    study = run_study(few, tiny, options(minutes=2.5, space=narrow(), pruner="none"), tmp_path)
    assert len(study.outcomes) == 1 + 3, "each takes a minute, of this call's time"


def test_a_trial_that_fails_says_why_and_the_study_goes_on(few, tiny, options, tmp_path, costless):
    study = run_study(few, tiny, options(trials=9, pruner="none"), tmp_path)
    states = {one.number: one.state for one in study.outcomes}
    failed = [one for one in study.outcomes if one.state == "failed"]
    assert failed
    assert {one.error for one in failed} == {"too wide for such a rate"}
    assert not any(one.measures for one in failed)
    assert states[max(states)] == "complete" or max(states) > failed[0].number


def test_where_every_trial_fails_one_error_says_the_first_reason_and_nothing_is_kept(
    few, tiny, options, tmp_path, costless
):
    def fail(number, epoch):
        raise RuntimeError(f"no memory for {number}")

    costless.append(fail)
    message = "none of 3 trials could be judged. Of trial 0, the recipe as it is: RuntimeError: no memory for 0"
    with pytest.raises(InputError, match=message):
        run_study(few, tiny, options(trials=3, space=narrow()), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_the_study_and_what_was_done_is_kept(few, tiny, options, tmp_path, costless):
    undisturbed = run_study(few, tiny, options(trials=6), tmp_path / "undisturbed")

    def full(number, epoch):
        if number >= 2 and epoch == 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    costless.append(full)
    with pytest.raises(OSError, match="No space left"):
        run_study(few, tiny, options(trials=6), tmp_path / "full")
    done = [*tmp_path.glob("full/*/trial-*/outcome.json")]
    costless.clear()
    heard = []
    costless.append(lambda number, epoch: heard.append(number))
    study = run_study(few, tiny, options(trials=6), tmp_path / "full")
    assert min(heard) == len(done) >= 2
    assert without_times(study) == without_times(undisturbed)


@pytest.mark.parametrize("name", ["asked.json", "outcome.json"])
def test_what_a_trial_has_left_is_refused_where_it_is_damaged(few, tiny, options, tmp_path, costless, name):
    run_study(few, tiny, options(trials=3), tmp_path)
    (path,) = tmp_path.glob(f"*/trial-0002/{name}")
    if name == "asked.json":  # it is read as long as nothing came out
        (path.parent / "outcome.json").unlink()
    path.write_text(re.sub(r"\d", lambda digit: str(9 - int(digit[0])), path.read_text(), count=1))
    with pytest.raises(InputError, match=rf"trial-0002/{name} is damaged"):
        run_study(few, tiny, options(trials=4), tmp_path)


def test_with_several_objectives_no_trial_is_pruned_and_the_front_is_best(few, tiny, options, tmp_path, costless):
    study = run_study(few, tiny, options(objective=["exactness", "small_mse"], trials=9), tmp_path)
    assert {one.state for one in study.outcomes} == {"complete", "failed"}
    complete = study.complete
    lowest = min(complete, key=lambda one: one.measures["small_mse"])
    assert study.best() == [lowest.number]
    assert [*lowest.measures] == ["exactness", "small_mse"]
    assert lowest.measures["exactness"] == max(one.measures["exactness"] for one in complete)


def test_each_trial_that_ends_is_a_part_of_the_run_with_what_became_of_it(few, tiny, options, tmp_path, costless):
    parts = []

    class Parts(Run):
        @contextmanager
        def part(self, name, parameters):
            part = Part(name, parameters)
            parts.append(part)
            try:
                yield part
                part.status = "FINISHED"
            except Exception:
                part.status = "FAILED"
                raise

    class Part(Run):
        def __init__(self, name, parameters):
            self.name, self.parameters, self.tags, self.metrics = name, parameters, {}, {}

        def tag(self, name, value):
            self.tags[name] = value

        def report(self, metrics, step):
            for name, value in metrics.items():
                self.metrics.setdefault(name, {})[step] = value

    study = run_study(few, tiny, options(), tmp_path, Parts())
    assert [part.name for part in parts] == [f"trial {number}" for number in range(10)]
    for part, one in zip(parts, study.outcomes, strict=True):
        assert part.parameters == one.values
        assert part.tags["trial"] == one.state
        assert part.status == ("FAILED" if one.state == "failed" else "FINISHED")
        assert [*part.metrics.get("tune/loss", {}).values()] == one.curve
        assert ("tune/small_mse" in part.metrics) == (one.state == "complete")


def test_a_grid_tries_every_combination_once_and_then_ends(few, tiny, options, tmp_path, costless):
    fields = {
        "model.latent_size": {"low": 2, "high": 6, "step": 2},
        "model.net.widths": {"choices": {"narrow": [8], "wide": [16, 8]}},
        "training.learning_rate": {"low": 1e-3, "high": 2e-3, "step": 1e-3},
    }
    study = run_study(
        few, tiny, options(space=Space.model_validate({"fields": fields}), sampler="grid", trials=50), tmp_path
    )
    tried = [json.dumps(one.values) for one in study.outcomes[1:]]
    assert len(tried) == len(set(tried)) == 3 * 2 * 2


class Killed(BaseException):
    """Stands for the end of the process, which nothing can catch; `benchmarks/tune_after_kills.py` kills real ones."""


def test_a_study_killed_in_its_trainings_ends_as_an_undisturbed_one(few, tiny, options, tmp_path, monkeypatch):
    undisturbed = run_study(few, tiny, options(trials=4), tmp_path / "undisturbed")
    assert {one.state for one in undisturbed.outcomes} == {"complete"}
    assert undisturbed.outcomes[0].curve[0] > undisturbed.outcomes[0].curve[-1]
    heard = trials._Watch.report

    def killed_at(number, epoch):
        def report(self, metrics, step):
            heard(self, metrics, step)
            if (self._asked.number, step) == (number, epoch):
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(trials._Watch, "report", report)
            with pytest.raises(Killed):
                run_study(few, tiny, options(trials=4), tmp_path / "killed")

    killed_at(0, 3)
    killed_at(2, EPOCHS)
    told_again = []

    def report(self, metrics, step):
        told_again.extend([step] * ("fit/samples_per_second" not in metrics))
        heard(self, metrics, step)

    monkeypatch.setattr(trials._Watch, "report", report)
    study = run_study(few, tiny, options(trials=4), tmp_path / "killed")
    assert told_again == [*range(1, EPOCHS)], "all but the last epoch were kept"
    assert without_times(study) == without_times(undisturbed)


def test_only_who_tunes_imports_optuna():
    code = (
        "import sys, ae_pipelines.tuning.study, ae_pipelines.tuning.results, ae_pipelines.tuning.options;"
        "print({'optuna', 'torch', 'plotly'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, timeout=PATIENCE) == "set()\n"
