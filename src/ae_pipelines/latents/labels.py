"""Labels of many rows, kept as a number for each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.tables import Table, TableFile


@dataclass(frozen=True)
class Labels:
    """The label of each row; text is made of those that are asked for."""

    codes: np.ndarray
    """(n,), int32: number of each row's class; -1 where there is no label."""
    names: np.ndarray
    """Names of the classes, sorted."""

    @classmethod
    def of(cls, column: Any) -> "Labels":
        """Of texts; None, NaN and empty text are no label."""
        texts = pd.Series(column, dtype="object")
        codes, names = pd.factorize(texts.where(texts.notna() & (texts != "")), sort=True)
        return cls(codes.astype(np.int32), np.asarray(names, dtype=str))

    @classmethod
    def in_column(cls, table: Table, name: str) -> "Labels":
        """Of a column of a table, which is not held as text where it lies in a file."""
        return cls(*table.numbered(name)) if isinstance(table, TableFile) else cls.of(table[name])

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Any:
        """Labels of some rows as text, empty where there is none."""
        return np.append(self.names, "")[self.codes[rows]]

    @property
    def known(self) -> np.ndarray:
        """A bool per row: whether it has a label."""
        return self.codes >= 0

    def among(self, rows: Any) -> tuple[np.ndarray, np.ndarray]:
        """Of some rows that all have a label: the names of their classes, sorted, and the number that each row's class
        has among these, (rows,), int64."""
        present, numbers = np.unique(self.codes[rows], return_inverse=True)
        return np.array(self.names[present].tolist(), dtype=str), numbers

    def by(self, names: Any) -> "Labels":
        """The same labels as numbers of these names; what has another name has none."""
        places = {str(name): place for place, name in enumerate(names)}
        order = np.array([*(places.get(name, -1) for name in self.names.tolist()), -1], np.int32)
        return Labels(order[self.codes], np.asarray(names, dtype=str))

    def take(self, rows: Any) -> "Labels":
        """Labels of some rows."""
        return Labels(self.codes[rows], self.names)

    def isin(self, names: Any) -> np.ndarray:
        """A bool per row: whether its label is one of these."""
        return np.append(np.isin(self.names, np.asarray(list(names), dtype=str)), False)[self.codes]

    def counts(self, rows: Any = slice(None)) -> pd.Series:
        """How many of some rows each class has, by its name, sorted by name; classes without rows are left out."""
        codes = self.codes[rows]
        found = np.bincount(codes[codes >= 0], minlength=len(self.names))
        return pd.Series(found, index=self.names)[found > 0]
