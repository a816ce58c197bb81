"""Labels of many rows, kept as a number for each."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


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

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Any:
        """Labels of some rows as text, empty where there is none."""
        return np.append(self.names, "")[self.codes[rows]]

    @property
    def known(self) -> np.ndarray:
        """A bool per row: whether it has a label."""
        return self.codes >= 0

    def isin(self, names: Any) -> np.ndarray:
        """A bool per row: whether its label is one of these."""
        return np.append(np.isin(self.names, np.asarray(list(names), dtype=str)), False)[self.codes]

    def counts(self, rows: Any = slice(None)) -> pd.Series:
        """How many of some rows each class has, by its name, sorted by name; classes without rows are left out."""
        codes = self.codes[rows]
        found = np.bincount(codes[codes >= 0], minlength=len(self.names))
        return pd.Series(found, index=self.names)[found > 0]
