"""Brute force in tensor operations finds what plain numpy finds."""

import numpy as np
import pytest
import torch

from ae_pipelines.scoring.onnx.nearest import Nearest

DRAW = np.random.default_rng(0)
KNOWN = DRAW.normal(size=(300, 6)).astype(np.float32)
ASKED = DRAW.normal(size=(50, 6)).astype(np.float32)


def found(known, asked, count):
    return [part.numpy() for part in Nearest(known, count)(torch.from_numpy(asked))]


@pytest.mark.parametrize("offset", [0, 1000])
def test_distances_and_positions_are_those_of_all_pairs(offset):
    known, asked = KNOWN + np.float32(offset), ASKED + np.float32(offset)
    distances, places, own = found(known, asked, 7)
    pairs = np.linalg.norm(known[None].astype(float) - asked[:, None], axis=2)
    assert (places == pairs.argsort(axis=1)[:, :7]).mean() > 0.99, "a few may be as near as each other"
    np.testing.assert_allclose(distances, np.sort(pairs, axis=1)[:, :7], rtol=1e-4 if offset else 1e-6)
    assert not own.any()


def test_a_known_vector_is_its_own_nearest_also_when_another_program_rounded_it():
    rounded = KNOWN[:40] * np.float32(1 + 3e-7)
    distances, places, own = found(KNOWN, rounded, 3)
    assert own.all()
    np.testing.assert_array_equal(places[:, 0], np.arange(40))
    assert distances[:, 0].max() < 1e-5 < distances[:, 1].min()


def test_no_more_are_found_than_there_are():
    distances, places, _ = found(KNOWN[:2], ASKED, 5)
    assert distances.shape == places.shape == (50, 2)
