from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.cluster import KMeans

from ae_pipelines.base.content import content_sha256


@dataclass(frozen=True)
class Mark:
    name: str


@dataclass(frozen=True)
class Model:
    mark: Mark
    weights: np.ndarray
    options: dict


def model(name="a", weights=(1.0, 2.0), **options):
    return Model(Mark(name), np.array(weights, np.float32), options)


def test_equal_models_have_equal_content_wherever_they_lie_in_memory():
    assert content_sha256(model(k=1)) == content_sha256(model(k=1))


OTHERS = [model(weights=(1.0, 2.0000002)), model(weights=((1.0, 2.0),)), model(k=1), model("b")]


@pytest.mark.parametrize("other", OTHERS)
def test_any_other_part_gives_another_content(other):
    assert content_sha256(model()) != content_sha256(other)


def test_what_is_inside_what_decides():
    assert content_sha256({"a": {"b": 1}, "c": 2}) != content_sha256({"a": {"b": 1, "c": 2}})


def test_what_is_left_out_decides_nothing():
    assert content_sha256(model("a"), without=(Mark,)) == content_sha256(model("b"), without=(Mark,))


def test_the_order_of_keys_decides_nothing():
    assert content_sha256({"a": 1, "b": 2}) == content_sha256({"b": 2, "a": 1})


def test_estimators_are_told_apart_by_what_they_have_learned():
    x = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    first, same, other = (KMeans(2, n_init=1, random_state=seed).fit(x * by) for seed, by in ((0, 1), (0, 1), (0, 2)))
    assert content_sha256(first) == content_sha256(same) != content_sha256(other)
