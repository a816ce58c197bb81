"""A small table of measurements, and what the source of tables gives of one."""

import numpy as np
import pandas as pd

from ae_pipelines.samples.sources import SourceChoice


def cells(count=400, seed=0):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "name": [f"cell {row}" for row in range(count)],
            "area": random.normal(200, 30, count),
            "nuclei": random.integers(0, 5, count),
            "round": random.random(count) < 0.5,
            "kind": np.array(["a", "b", "c"])[random.integers(0, 3, count)],
            "part": np.where(np.arange(count) % 4, "train", "test"),
        }
    )


def source(path, **fields):
    return SourceChoice(kind="table", path=path, **fields).build()


def written(folder, frame, name="cells.csv", **fields):
    path = folder / name
    if isinstance(frame, str | bytes):
        path.write_bytes(frame.encode() if isinstance(frame, str) else frame)
    elif path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return source(path, **fields)


def read(found):
    """Values, ids, labels, splits, sha256, rejects of all blocks."""
    blocks = list(found.blocks())
    return (
        np.concatenate([block.values for block in blocks]),
        *(
            [value for block in blocks for value in getattr(block, name) or []]
            for name in ("ids", "labels", "splits", "sha256", "rejects")
        ),
    )
