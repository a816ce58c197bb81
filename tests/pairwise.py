"""Few of all combinations of options, such that every two values meet in one of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

Place = tuple[str, int]
"""An option, and which of its values."""


def pairwise(options: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Combinations of one value for each option; the same options always give the same."""
    missing = dict.fromkeys(_all_pairs(options))  # in order, unlike a set
    chosen = []
    while missing:
        combination = _with(next(iter(missing)), options, missing)
        for pair in combinations(combination, 2):
            missing.pop(pair, None)
        chosen.append({name: options[name][number] for name, number in combination})
    return chosen


def _all_pairs(options: Mapping[str, Sequence[Any]]) -> Iterator[tuple[Place, Place]]:
    for one, other in combinations(options, 2):
        for i in range(len(options[one])):
            for j in range(len(options[other])):
                yield (one, i), (other, j)


def _with(pair: tuple[Place, Place], options: Mapping[str, Sequence[Any]], missing: Mapping) -> list[Place]:
    """This pair, and of every other option the value that meets most of those so far for the first time."""
    chosen = dict(pair)
    for name in options:
        if name not in chosen:
            chosen[name] = max(range(len(options[name])), key=lambda n: _first_meetings((name, n), chosen, missing))
    return [(name, chosen[name]) for name in options]


def _first_meetings(place: Place, chosen: Mapping[str, int], missing: Mapping) -> int:
    return sum((place, other) in missing or (other, place) in missing for other in chosen.items())
