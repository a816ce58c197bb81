"""Bounds of measures, against published values and other formulas."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import adjusted_rand_score, average_precision_score, normalized_mutual_info_score

from ae_pipelines.downstream import intervals


@pytest.mark.parametrize(
    (
        "right",
        "rows",
        "low",
        "high",
    ),  # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_bounds_of_a_proportion_are_wilsons(right, rows, low, high):
    assert intervals.proportion(right / rows, rows) == pytest.approx((low, high), abs=5e-5)


def test_bounds_of_a_proportion_equal_scipys():
    for right, rows in [(8, 8), (0, 3), (1, 2), (37, 100), (999, 1000)]:
        theirs = binomtest(right, rows).proportion_ci(method="wilson")
        assert intervals.proportion(right / rows, rows) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_eight_of_eight_is_not_certain():
    low, high = intervals.proportion(1.0, 8)
    assert (round(low, 2), high) == (0.68, 1.0)


def test_the_variance_of_an_area_is_that_of_hanley_and_mcneil():
    # their example (1982, table II): 58 normal and 51 abnormal patients, area 0.893, standard error 0.032
    assert sqrt(intervals._auroc_variance(0.893, 58, 51)) == pytest.approx(0.032, abs=1e-3)


@pytest.mark.parametrize(
    ("area", "negative", "positive"), [(0.5, 10, 10), (0.9, 300, 7), (0.02, 5, 9), (0.999, 4, 400)]
)
def test_bounds_of_an_area_are_where_it_is_as_far_off_as_the_bound_allows(area, negative, positive):
    for bound in intervals.auroc(area, negative, positive):
        allowed = 1.96 * sqrt(intervals._auroc_variance(bound, negative, positive))
        assert abs(bound - area) == pytest.approx(allowed, rel=1e-3)


def test_an_area_of_one_over_few_rows_is_not_certain_and_mirrors_an_area_of_zero():
    low, high = intervals.auroc(1.0, 4, 4)
    assert 0.4 < low < 0.9
    assert high == 1
    assert intervals.auroc(0.0, 4, 4) == pytest.approx((0, 1 - low), abs=1e-6)
    assert intervals.auroc(1.0, 400, 400)[0] > 0.98


def test_bounds_of_an_area_hold_the_truth_in_about_95_of_100_samples():
    draw = np.random.default_rng(0)
    truth = 0.7602  # of two normals, one standard deviation apart: Φ(1/√2)
    held = 0
    for _ in range(300):
        normal, odd = draw.normal(size=25), draw.normal(1, size=15)
        low, high = intervals.auroc((odd[:, None] > normal).mean(), 25, 15)
        held += low <= truth <= high
    assert 0.91 <= held / 300 <= 0.99


def labels_of(counts):
    rows, columns = np.indices(counts.shape)
    return np.repeat(rows.ravel(), counts.ravel()), np.repeat(columns.ravel(), counts.ravel())


@pytest.mark.parametrize("counts", [[[5, 2], [1, 7]], [[4, 0, 0], [0, 3, 0]], [[3, 3], [3, 3]], [[9, 0, 1], [2, 8, 8]]])
def test_agreement_from_counts_equals_scikit_learns_from_labels(counts):
    counts = np.array(counts)
    mine, theirs = labels_of(counts)
    assert intervals.nmi(counts) == pytest.approx(normalized_mutual_info_score(mine, theirs), abs=1e-12)
    assert intervals.ari(counts) == pytest.approx(adjusted_rand_score(mine, theirs), abs=1e-12)


def test_bounds_of_an_agreement_are_those_of_rows_drawn_again():
    counts = np.array([[50, 20], [10, 70]])
    mine, theirs = labels_of(counts)
    draw = np.random.default_rng(1)
    drawn = [draw.integers(len(mine), size=len(mine)) for _ in range(2000)]
    expected = {
        "nmi": np.quantile([normalized_mutual_info_score(mine[rows], theirs[rows]) for rows in drawn], (0.025, 0.975)),
        "ari": np.quantile([adjusted_rand_score(mine[rows], theirs[rows]) for rows in drawn], (0.025, 0.975)),
    }
    found = intervals.agreement(counts)
    for name, bounds in expected.items():
        assert found[name] == pytest.approx(tuple(bounds), abs=0.04), name
    assert found == intervals.agreement(counts)


def test_perfect_agreement_says_nothing_of_its_bounds():
    assert intervals.agreement(np.diag([4, 3])) == {}


def test_bounds_of_an_average_precision_surround_it_and_narrow_with_more_rows():
    draw = np.random.default_rng(0)
    normal, odd = np.round(draw.normal(size=2000), 1), np.round(draw.normal(1.5, size=400), 1)
    few = intervals.average_precision(normal[:100], odd[:20])
    many = intervals.average_precision(normal, odd)
    truth = average_precision_score(np.repeat([0, 1], [2000, 400]), np.concatenate([normal, odd]))
    assert many[0] < truth < many[1]
    assert few[1] - few[0] > 2 * (many[1] - many[0])
    assert np.mean(many) == pytest.approx(truth, abs=0.02)


def test_what_rests_on_few_rows_is_said():
    metrics = {"accuracy": 1.0} | intervals.bounds("accuracy", intervals.proportion(1.0, 8))
    assert intervals.few("accuracy", metrics, 30) is None
    said = intervals.few("accuracy", metrics, 8)
    assert said == "accuracy 1.000 rests on 8 rows only: with 95 % it lies between 0.68 and 1.00"


def test_a_difference_of_shares_has_newcombe_s_interval():
    """Newcombe 1998 (interval estimation for the difference between independent proportions), table II, method 10."""
    for right, rows, other_right, other_rows, expected in (
        (56, 70, 48, 80, (0.0524, 0.3339)),
        (9, 10, 3, 10, (0.1705, 0.8090)),
        (10, 10, 0, 20, (0.6791, 1.0)),
    ):
        shares = right / rows, other_right / other_rows
        bounds = [intervals.proportion(share, n) for share, n in zip(shares, (rows, other_rows), strict=True)]
        found = intervals.difference(shares[0], bounds[0], shares[1], bounds[1])
        assert found == pytest.approx(expected, abs=5e-5)
