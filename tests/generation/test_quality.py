"""How good samples are, on sets whose scores are known."""

import numpy as np
import pytest

from ae_pipelines.generation.quality import quality

RANDOM = np.random.default_rng(0)
REAL = RANDOM.standard_normal((600, 8)).astype(np.float32)


def test_a_set_covers_itself():
    found = quality(REAL, REAL)
    assert found["coverage"] == found["precision"] == found["recall"] == 1
    assert found["density"] >= 1


def test_samples_far_from_all_real_ones_score_zero():
    assert set(quality(REAL + 100, REAL).values()) == {0.0}


def test_other_draws_of_the_same_distribution_have_density_and_coverage_near_what_the_paper_gives():
    """Naeem et al. 2020, section 3.3: density 1 and, for as many made as real ones, coverage of about 1 - 2⁻ᵏ."""
    random = np.random.default_rng(1)
    real, made = random.standard_normal((2, 3000, 4)).astype(np.float32)
    found = quality(made, real)
    assert found["density"] == pytest.approx(1, abs=0.05)
    assert found["coverage"] == pytest.approx(1 - 2**-5, abs=0.015)


def test_samples_of_half_the_real_ones_are_precise_and_miss_the_rest():
    groups = np.concatenate([REAL[:300], REAL[300:] + 50])
    found = quality(REAL[:300], groups)
    assert found["precision"] == 1
    assert found["recall"] == found["coverage"] == pytest.approx(0.5)


def test_one_sample_again_and_again_has_no_recall():
    found = quality(np.repeat(REAL[:1], 300, axis=0), REAL)
    assert found["precision"] == 1
    assert found["recall"] < 0.01
    assert found["coverage"] < 0.05


def test_scores_do_not_depend_on_units():
    made = RANDOM.standard_normal((500, 8)).astype(np.float32)
    assert quality(made * 1000, REAL * 1000) == pytest.approx(quality(made, REAL), abs=0.01)
