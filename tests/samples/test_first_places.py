"""Which keys were there before."""

import numpy as np
import pytest

from ae_pipelines.samples import first_places
from ae_pipelines.samples.first_places import NOWHERE, FirstPlaces
from ae_pipelines.samples.key_filter import KeyFilter


@pytest.mark.parametrize("halves", [(2**63, 1), (40, 9)], ids=["different first halves", "few of each half"])
def test_a_key_has_the_place_that_it_was_first_added_with(tmp_path, monkeypatch, halves):
    for name, value in (("RECENT", 100), ("CHUNK", 37), ("PAGE", 8), ("SOUGHT", 3)):
        monkeypatch.setattr(first_places, name, value)
    draw = np.random.default_rng(0)
    some = np.stack([draw.integers(0, most, 900, np.uint64) for most in halves], axis=1)
    some[:, 0] *= 2**64 // halves[0]
    table, expected, done = FirstPlaces(tmp_path), dict[tuple[int, int], int](), 0
    while done < 2000:
        keys = some[draw.integers(0, len(some), draw.integers(1, 80))]
        places = np.arange(done, done + len(keys))
        done += len(keys)
        first = [
            expected.setdefault((high, low), place)
            for (high, low), place in zip(keys.tolist(), places.tolist(), strict=True)
        ]
        assert table.add(keys, places).tolist() == first
    assert len(table._runs) > 1, "nothing lay in files"
    unknown = np.array([[5, 5]], np.uint64)
    assert table.find(np.concatenate([np.array([*expected], np.uint64), unknown])).tolist() == [
        *expected.values(),
        NOWHERE,
    ]
    assert not list(tmp_path.iterdir()), "a file that a kill would leave behind"


def test_a_filter_knows_all_that_was_added_and_hardly_anything_else():
    keys = np.random.default_rng(0).integers(0, 2**64, 20_000, np.uint64)
    known = KeyFilter(10_000)
    known.add(keys[:10_000])
    assert known.may_hold(keys[:10_000]).all()
    assert known.may_hold(keys[10_000:]).mean() < 0.03
    assert [known.may_hold_one(key) for key in keys[9_000:11_000].tolist()] == known.may_hold(
        keys[9_000:11_000]
    ).tolist()
    assert not KeyFilter(0).may_hold(keys).any()
