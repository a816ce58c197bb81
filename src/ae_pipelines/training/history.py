"""What the rows of a training's history say, one an epoch."""

from typing import Any

import numpy as np
import pandas as pd


def kept_epochs(history: list[dict[str, Any]]) -> list[int]:
    """Numbers, from 1, of the rows of a history whose weights were kept, one a phase: the last that was the best so far
    or, where none was called so, the last one. None of a history that does not say."""
    table = pd.DataFrame(history)
    if "best_so_far" not in table or table["best_so_far"].isna().any():
        return []
    rows = pd.Series(np.arange(1, len(table) + 1))
    phases = (table["phase"] != table["phase"].shift()).cumsum()
    best = rows.where(table["best_so_far"].astype(bool)).groupby(phases).max()
    return best.fillna(rows.groupby(phases).max()).astype(int).tolist()
