import pytest

from ae_pipelines.tuning.in_optuna import InOptuna
from ae_pipelines.tuning.sampling import STARTUP, Sampling
from ae_pipelines.tuning.trial import Outcome


def sampling(tiny, space, sampler="tpe", seed=0, higher_is_better=(False,)):
    return Sampling(InOptuna(space, tiny, higher_is_better), sampler, seed)


def told(sampling, count, goal):
    """Trials with values drawn at random, and what `goal` makes of these."""
    outcomes, goals = [], []
    for number in range(1, count + 1):
        values = sampling.values(number, [], [], [])
        outcomes.append(Outcome(number, "complete", values, [1.0]))
        goals.append([goal(values)])
    return outcomes, goals


@pytest.mark.parametrize("sampler", ["tpe", "gp", "random"])
def test_values_depend_on_seed_and_number_and_what_is_known_alone(tiny, space, sampler):
    one = sampling(tiny, space, sampler)
    known = told(one, STARTUP + 1, lambda values: values["model.latent_size"])
    drawn = one.values(STARTUP + 2, *known, [])
    assert drawn == sampling(tiny, space, sampler).values(STARTUP + 2, *known, [])
    assert drawn != one.values(STARTUP + 3, *known, [])
    assert drawn != sampling(tiny, space, sampler, seed=1).values(STARTUP + 2, *known, [])


@pytest.mark.parametrize(("sampler", "higher_is_better"), [("tpe", True), ("tpe", False), ("gp", True)])
def test_what_was_good_is_tried_again(tiny, space, sampler, higher_is_better):
    one = sampling(tiny, space, sampler, higher_is_better=(higher_is_better,))
    known = told(one, 24, lambda values: values["model.latent_size"])
    later = [one.values(number, *known, [])["model.latent_size"] for number in range(30, 36)]
    mean = sum(later) / len(later)
    assert mean > 6 if higher_is_better else mean < 3


def test_values_lie_in_the_space_and_come_only_where_their_conditions_hold(tiny, space):
    one = sampling(tiny, space, "random")
    drawn = [one.values(number, [], [], []) for number in range(1, 40)]
    for values in drawn:
        assert isinstance(values["model.latent_size"], int)
        assert 1 <= values["model.latent_size"] <= 8
        assert values["model.net.widths"] in ([8], [16, 8])
        assert ("training.weight_decay" in values) == bool(values["loader.corruptions"])
        rate = values["training.learning_rate"]
        assert 1e-4 <= rate <= 1e-1
        assert rate == float(f"{rate:.3g}"), "as people write it"
    assert 0 < sum(bool(values["loader.corruptions"]) for values in drawn) < 39


def test_the_recipe_as_it_is_counts_where_its_values_lie_in_the_space(tiny, space):
    named = InOptuna(space, tiny, (False,))
    own = space.own(tiny)
    outside = Outcome(0, "complete", own, [1.0])
    inside = Outcome(0, "complete", own | {"model.latent_size": 8, "loader.corruptions": []}, [1.0])
    inside.values.pop("training.weight_decay", None)
    assert len(named.study([outside], [[1.0]]).trials) == 0
    assert len(named.study([inside], [[1.0]]).trials) == 1
