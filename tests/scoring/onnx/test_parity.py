"""What counts as the same, what as a near tie, and what is refused."""

import numpy as np
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.onnx.parity import parity

SCORES = np.linspace(-200, 100, 50).astype(np.float32)
CLUSTERS = np.arange(50) % 3


def test_equal_outputs_do_not_differ():
    compared = parity("scorer", {"a": SCORES, "cluster": CLUSTERS}, {"a": SCORES, "cluster": CLUSTERS})
    assert (compared["a"].difference, compared["a"].equal_share) == (0, None)
    assert (compared["cluster"].difference, compared["cluster"].equal_share) == (None, 1)


def test_a_difference_is_relative_to_the_largest_absolute_value():
    moved = SCORES.copy()
    moved[3] += 0.01
    assert parity("scorer", {"a": moved}, {"a": SCORES})["a"].difference == pytest.approx(0.01 / 200, rel=1e-2)


@pytest.mark.parametrize("wrong", [SCORES[7] + 0.03, np.nan, np.inf])
def test_what_differs_too_much_is_refused_with_the_name_of_the_output(wrong):
    moved = SCORES.copy()
    moved[7] = wrong
    with pytest.raises(InputError, match=r"encoder\.onnx .* its output 'a' differs on 1 of 50 samples"):
        parity("encoder", {"a": moved}, {"a": SCORES})


def test_a_missing_value_equals_a_missing_value():
    gaps = SCORES.copy()
    gaps[::5] = np.nan
    assert parity("scorer", {"a": gaps.copy()}, {"a": gaps})["a"].difference == 0
    with pytest.raises(InputError, match="differs on 10 of 50"):
        parity("scorer", {"a": SCORES}, {"a": gaps})


def other_cluster_in_row_9():
    found = CLUSTERS.copy()
    found[9] = 1
    return found


def again_saying(cluster):
    """Models that put every row into this cluster when its latent differs by rounding."""

    def again(rows):
        assert rows.tolist() == [9]
        yield {"cluster": np.full(len(rows), cluster)}

    return again


def test_a_row_may_be_put_elsewhere_where_the_model_does_so_for_a_latent_that_differs_by_rounding():
    compared = parity("scorer", {"cluster": other_cluster_in_row_9()}, {"cluster": CLUSTERS}, again_saying(1))
    assert compared["cluster"].near_ties == 1
    assert compared["cluster"].equal_share == 0.98


@pytest.mark.parametrize("again", [None, again_saying(2)])
def test_a_row_may_not_be_put_elsewhere_otherwise(again):
    with pytest.raises(InputError, match="its output 'cluster' differs on 1 of 50"):
        parity("scorer", {"cluster": other_cluster_in_row_9()}, {"cluster": CLUSTERS}, again)


def test_a_measure_may_lie_between_those_of_latents_that_differ_by_rounding():
    moved = SCORES.copy()
    moved[9] += 5

    def again(rows):
        for step in (-8, 8):
            yield {"a": SCORES[rows] + step}

    compared = parity("scorer", {"a": moved}, {"a": SCORES}, again)["a"]
    assert (compared.difference, compared.near_ties) == (0, 1)
    moved[9] += 5
    with pytest.raises(InputError, match="'a' differs on 1 of 50"):
        parity("scorer", {"a": moved}, {"a": SCORES}, again)
