"""Paths between latents."""

from itertools import pairwise

import numpy as np
import pytest

from ae_pipelines.generation.interpolation import linear, spherical

SHARES = np.linspace(0, 1, 9, dtype=np.float32)


def ends(seed: int = 0, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Two vectors of norm 3."""
    vectors = np.random.default_rng(seed).standard_normal((2, size)).astype(np.float32)
    return tuple(3 * vector / np.linalg.norm(vector) for vector in vectors)


@pytest.mark.parametrize("path", [linear, spherical])
def test_both_paths_begin_and_end_where_they_should(path):
    start, end = ends()
    points = path(start, end, SHARES)
    np.testing.assert_allclose(points[[0, -1]], [start, end], atol=1e-5)
    assert points.dtype == np.float32


def test_spherical_interpolation_keeps_norms_and_turns_evenly():
    start, end = ends()
    points = spherical(start, end, SHARES)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 3, rtol=1e-5)
    steps = [np.arccos(np.clip(a @ b / 9, -1, 1)) for a, b in pairwise(points)]
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)


def test_the_straight_line_passes_nearer_to_the_origin():
    start, end = ends()
    assert np.linalg.norm(linear(start, end, SHARES)[4]) < 2.7


@pytest.mark.parametrize("times", [1, 2, 0])
def test_without_an_angle_the_arc_is_the_straight_line(times):
    start, _ = ends()
    np.testing.assert_allclose(spherical(start, times * start, SHARES), linear(start, times * start, SHARES))
