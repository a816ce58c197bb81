"""What a store says of some of its samples, read from its index without holding all of it."""

import heapq
from collections.abc import Collection

import numpy as np
import pandas as pd
import pyarrow as pa

from ae_pipelines.samples.store import Samples


def about(samples: Samples, rows: np.ndarray) -> pd.DataFrame:
    """`sample_id` and `label` (empty where there is none) of the samples at these positions, in this order."""
    ascending, places = np.unique(rows, return_inverse=True)
    ids, labels, start = list[str](), list[str](), 0
    for batch in samples.index_batches("sample_id", "label"):
        first, end = np.searchsorted(ascending, (start, start + len(batch)))
        some = batch.take(pa.array(ascending[first:end] - start))
        ids += some.column(0).to_pylist()
        labels += [label or "" for label in some.column(1).to_pylist()]
        start += len(batch)
    return pd.DataFrame({"sample_id": ids, "label": labels}, dtype="object").take(places)


def first_ids(samples: Samples, count: int, without: Collection[str]) -> list[str]:
    """The first ids in the order of letters."""
    columns = (batch.column(0).to_pylist() for batch in samples.index_batches("sample_id"))
    return heapq.nsmallest(count, (name for names in columns for name in names if name not in without))
