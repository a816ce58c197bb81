import pytest

from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.pruning import below_the_median, bracket_of, off_its_rung, yardstick

OTHERS = {number: [10.0, 10.0 - number, 9.0, 8.0, 7.0, 6.0] for number in range(5)}
"""The medians of the lowest losses so far are 10, 8, 8, 8, 7, 6."""


@pytest.mark.parametrize(
    ("curve", "ends"),
    [
        ([20.0], False),  # within the first third
        ([20.0, 8.1], True),
        ([20.0, 8.0], False),
        ([8.0, 20.0], False),  # its lowest loss counts
        ([20.0, 8.0, 8.0, 8.0, 7.5], True),
    ],
)
def test_a_trial_ends_where_it_is_worse_than_the_median_of_those_that_came_as_far(curve, ends):
    assert below_the_median(9, curve, OTHERS) is ends


def test_no_median_is_made_of_a_few_trials():
    few = {number: OTHERS[number] for number in range(4)}
    assert not below_the_median(9, [20.0, 20.0], few)
    short = few | {4: OTHERS[4][:3]}
    assert below_the_median(9, [20.0, 20.0, 20.0], short)
    assert not below_the_median(9, [20.0, 20.0, 20.0, 20.0], short), "one of five has not come as far"


def test_hyperband_stops_whoever_is_not_in_the_best_third_at_a_rung_of_its_bracket():
    first = [number for number in range(60) if bracket_of(number, 3) == 0]
    number, *rest = first
    others = {other: [1.0 + place] * 9 for place, other in enumerate(rest[:5])}  # 1, 2, 3, 4, 5
    assert [off_its_rung(number, [2.0] * far, others) for far in range(1, 10)] == [False] * 9
    assert [off_its_rung(number, [2.5] * far, others) for far in range(1, 10)] == [
        far in (1, 3, 9) for far in range(1, 10)
    ]
    others_elsewhere = {other: [0.0] * 9 for other in range(60) if bracket_of(other, 3) != 0}
    assert not off_its_rung(number, [2.5], others_elsewhere)


def test_the_later_brackets_stop_later_and_have_fewer_trials():
    brackets = [bracket_of(number, 3) for number in range(600)]
    counts = [brackets.count(bracket) for bracket in range(3)]
    assert counts[0] > counts[1] > counts[2] > 0
    last = [number for number in range(60) if brackets[number] == 2]
    others = {other: [1.0] * 9 for other in last[1:]}
    assert [off_its_rung(last[0], [2.0] * far, others) for far in range(1, 10)] == [False] * 8 + [True]


def recipe(**changes):
    plain = {
        "model": {"kind": "vae", "latent_size": 8, "net": {"kind": "dense", "widths": [8]}, "beta": 1.0},
        "loader": {"batch_size": 32, "corruptions": []},
        "training": {"epochs": 5},
    }
    for path, value in changes.items():
        *way, last = path.split("__")
        at = plain
        for step in way:
            at = at[step]
        at[last] = value
    return Recipe.model_validate(plain)


@pytest.mark.parametrize(
    ("changes", "comparable"),
    [
        ({"model__net__widths": [16]}, True),
        ({"training__learning_rate": 1e-2}, True),
        ({"loader__batch_size": 64}, True),
        ({"model__beta": 2.0}, False),
        ({"model__likelihood": "gaussian"}, False),
        ({"loader__corruptions": [{"kind": "gaussian_noise"}]}, False),
        ({"training__epochs": 6}, False),
        ({"training__schedule": "cosine"}, False),
        ({"model__latent_size": 4}, False),
    ],
)
def test_losses_are_compared_where_they_mean_the_same(changes, comparable):
    assert (yardstick(recipe(), False) == yardstick(recipe(**changes), False)) is comparable


def test_sizes_of_latents_are_compared_by_the_loss_where_that_is_what_is_tuned_for():
    assert yardstick(recipe(), True) == yardstick(recipe(model__latent_size=4), True)


def test_without_a_number_of_epochs_batches_of_another_size_make_other_epochs():
    by_steps = {"training": {"steps": 100}}
    assert yardstick(recipe(**by_steps), False) != yardstick(recipe(**by_steps, loader__batch_size=64), False)
