"""What passes over the rows of a table show: columns that cannot be used, and train rows to learn from."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ae_pipelines.samples.tables.features import Columns
from ae_pipelines.samples.tables.treatments import ColumnType, Treating

SAMPLED_CELLS = 2**25
"""Most values that are held in memory to learn from."""
SAMPLED_ROWS = 200_000
"""Most rows that are learned from."""
COVERED = 0.5
"""Share of the rows with text that must have one of the frequent levels; otherwise it is free text, or ids."""
COUNTED_LEVELS = 50_000
"""Different levels of a column that are counted at once; beyond, the rarest are forgotten."""
FREE_TEXT = "free text or ids: most rows have values that are rare"


class Look:
    """What a pass over all rows, of both splits, shows of each column."""

    def __init__(self, types: Mapping[str, ColumnType]) -> None:
        self._types, self._rows = types, 0
        self.missing: Counter[str] = Counter()
        """Rows with nothing in a column."""
        self._ends: dict[str, tuple[float, float]] = {}
        self._levels: dict[str, Counter[str]] = {name: Counter() for name in types if types[name] == "category"}

    def add(self, columns: Columns) -> None:
        """Look at some rows."""
        self._rows += len(next(iter(columns.values())))
        for name, values in columns.items():
            if self._types[name] == "category":
                self._count(self._levels[name], values)
                self.missing[name] += int((values == "").sum())
            else:
                self._widen(name, values[np.isfinite(values)])
                self.missing[name] += int(np.isnan(values).sum())

    def useless(self, treating: Treating) -> dict[str, str]:
        """Why columns cannot be used, by name."""
        reasons = {name: self._fault(name, treating) for name in self._types}
        return {name: reason for name, reason in reasons.items() if reason is not None}

    def _fault(self, name: str, treating: Treating) -> str | None:
        known = self._rows - self.missing[name]
        if not known:
            return "empty"
        if self._types[name] != "category":
            low, high = self._ends.get(name, (0.0, 0.0))
            return "constant" if low == high and known == self._rows else None
        counts = [count for level, count in self._levels[name].items() if level]
        if len(counts) == 1 and known == self._rows:
            return "constant"
        if sum(count for count in counts if count >= treating.fewest(self._rows)) < COVERED * known:
            return FREE_TEXT
        return None

    def merged(self, treating: Treating) -> dict[str, int]:
        """Categories with more frequent levels than may be features, and how many they have."""
        fewest = treating.fewest(self._rows)
        counts = {name: sum(n >= fewest for n in levels.values()) for name, levels in self._levels.items()}
        return {name: count for name, count in counts.items() if count > treating.max_categories}

    def _widen(self, name: str, finite: np.ndarray) -> None:
        if len(finite):
            low, high = self._ends.get(name, (np.inf, -np.inf))
            self._ends[name] = (min(low, float(finite.min())), max(high, float(finite.max())))

    def _count(self, levels: Counter[str], values: np.ndarray) -> None:
        levels.update(values.tolist())
        if len(levels) > COUNTED_LEVELS:
            kept = levels.most_common(COUNTED_LEVELS // 2)
            levels.clear()
            levels.update(dict(kept))


class TrainRows:
    """Rows that are learned from: those with the smallest sha256, so that they are the same however they come."""

    def __init__(self, columns: int) -> None:
        self.most = max(1, min(SAMPLED_ROWS, SAMPLED_CELLS // columns))
        self.seen = 0
        self._keys: list[np.ndarray] = []
        self._parts: list[dict[str, np.ndarray]] = []

    def add(self, columns: Columns, sha256: Sequence[str], chosen: np.ndarray) -> None:
        """Take the chosen ones of some rows."""
        rows = np.flatnonzero(chosen)
        self.seen += len(rows)
        self._keys.append(np.array([int(sha256[row][:16], 16) for row in rows.tolist()], np.uint64))
        self._parts.append({name: values[rows] for name, values in columns.items()})
        if sum(map(len, self._keys)) > 2 * self.most:
            self._prune()

    def columns(self) -> dict[str, np.ndarray]:
        """The rows, in the order of their sha256."""
        self._prune()
        return self._parts[0]

    def _prune(self) -> None:
        keys = np.concatenate(self._keys)
        order = np.argsort(keys, kind="stable")[: self.most]
        self._keys = [keys[order]]
        self._parts = [{name: np.concatenate([part[name] for part in self._parts])[order] for name in self._parts[0]}]
