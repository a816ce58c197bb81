"""How a page finds the samples nearest to one, within so many bytes."""

from typing import Any

import numpy as np

from ae_pipelines.downstream.nearest import nearest_others
from ae_pipelines.report.page_data.packed import BASE64, Block, latent_bytes

NEIGHBOURS = 12
"""How many a table keeps of each sample; the page shows as many."""
TABLE_BYTES = 3 + NEIGHBOURS * 4
"""Of a sample in a table, after compression: positions, nearness, and the largest distance."""
MOST_PRODUCTS = 2e12
"""Most multiplications that a table may take, about a minute; finding all neighbours takes n · n · d."""


def packed(vectors: np.ndarray, block: Block, most_bytes: float) -> dict[str, Any]:
    """What the page is told of neighbours; their columns are in the block.

    The latents themselves, a byte a dimension, where they fit; else a table of the neighbours of each; else nothing,
    and why.
    """
    count, size = vectors.shape
    if count <= 1:
        return {"kind": "none", "reason": "There are no other samples."}
    if count * size * BASE64 <= most_bytes:
        latents, steps = latent_bytes(vectors)
        block.add("latents", latents)
        return {"kind": "latents", "steps": steps}
    if count * TABLE_BYTES * BASE64 <= most_bytes and count * count * size <= MOST_PRODUCTS:
        return _table(vectors, block)
    reason = f"{count:,} latents of {size} dimensions do not fit into this page: `search` finds neighbours"
    return {"kind": "none", "reason": f"{reason}, and a page of fewer samples (report.samples) shows them."}


def _table(vectors: np.ndarray, block: Block) -> dict[str, Any]:
    distances, rows = nearest_others(vectors, min(NEIGHBOURS, len(vectors) - 1))
    farthest = distances[:, -1:]
    shares = np.divide(distances, farthest, out=np.zeros_like(distances), where=farthest > 0)
    block.add("nearest", rows.astype(np.uint32))
    block.add("nearness", np.rint(shares * 255).astype(np.uint8))
    block.add("farthest", farthest.astype(np.float32))
    return {"kind": "table", "size": rows.shape[1]}
