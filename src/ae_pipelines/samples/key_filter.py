"""A filter of keys (Bloom 1970): small enough to be sent to every worker, and never wrong about what was added."""

from collections.abc import Iterator

import numpy as np

HASHES = 4
LEAST_BITS = 8
"""Bits of memory a key, or up to twice as many; at most 2.4 % of other keys are then taken for one that was added."""


class KeyFilter:
    """Tells keys that were added from nearly all others, with one or two bytes of memory a key.

    Keys are uint64, and as good as random: parts of a sha256, or other hashes.
    """

    def __init__(self, count: int) -> None:
        self._bits = np.zeros(max(8, 1 << (LEAST_BITS * max(1, count) - 1).bit_length()) // 8, np.uint8)

    def add(self, keys: np.ndarray) -> None:
        """Add keys (n,)."""
        for byte, bit in self._places(keys):
            np.bitwise_or.at(self._bits, byte, bit)

    def may_hold(self, keys: np.ndarray) -> np.ndarray:
        """A bool for each key (n,): False only if it was not added."""
        found = np.ones(len(keys), bool)
        for byte, bit in self._places(keys):
            found &= self._bits[byte] & bit != 0
        return found

    def may_hold_one(self, key: int) -> bool:
        """The same for one key, in a tenth of the time."""
        low, high, mask = key & (2**32 - 1), key >> 32 | 1, 8 * len(self._bits) - 1
        places = (low + number * high & mask for number in range(HASHES))
        return all(self._bits[place >> 3] >> (place & 7) & 1 for place in places)

    def _places(self, keys: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each hash, the byte of every key and its bit there; two halves of a key make all hashes (Kirsch &
        Mitzenmacher 2006)."""
        low, high = keys & np.uint64(2**32 - 1), keys >> np.uint64(32) | np.uint64(1)
        mask = np.uint64(8 * len(self._bits) - 1)
        for number in range(HASHES):
            place = low + np.uint64(number) * high & mask
            yield (place >> np.uint64(3)).astype(np.int64), np.uint8(1) << (place & np.uint64(7)).astype(np.uint8)
