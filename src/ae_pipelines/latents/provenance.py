"""Checks that latents, samples and a model belong together, row by row."""

from collections.abc import Iterator

import pyarrow as pa

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.tables import Table, TableFile
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

NOTHING = pa.chunked_array([], pa.string())


def refuse_other_samples(latents: Latents, samples: Samples) -> None:
    """`InputError` unless the latents are of these samples, row by row."""
    if (made_from := latents.metadata.get("samples_id")) != samples.id:
        raise InputError(
            f"the latents were made from the samples {made_from}, but {samples.folder} holds {samples.id}, so rows "
            "would belong to other samples: run ingest and embed again, and fit before embed if the samples are new",
            stages=("ingest", "embed"),
        )


def refuse_other_encoder(latents: Latents, model_sha256: str) -> None:
    """`InputError` unless the model whose contract has this sha256 made the latents."""
    if latents.encoder != model_sha256:
        raise InputError(
            f"the latents were made by the model {latents.encoder[:12]}, but the one at hand is {model_sha256[:12]}: "
            "run embed to make the latents again",
            stages=("embed",),
        )


def are_of(table: Table, latents: Latents) -> bool:
    """Whether a table has a row for each of these samples, in the same order; both are read a piece at a time."""
    return len(table) == len(latents) and _alike(_ids(table), latents.ids())


def _ids(table: Table) -> Iterator[pa.ChunkedArray]:
    if isinstance(table, TableFile):
        return table.in_pieces("sample_id")
    return iter([pa.chunked_array([pa.array(table["sample_id"], pa.string())])])


def _alike(ours: Iterator[pa.ChunkedArray], theirs: Iterator[pa.ChunkedArray]) -> bool:
    """Whether two columns of texts are the same; each comes in pieces of any size."""
    mine = yours = NOTHING
    while True:
        mine = mine if len(mine) else next(ours, NOTHING).cast(pa.string())
        yours = yours if len(yours) else next(theirs, NOTHING).cast(pa.string())
        count = min(len(mine), len(yours))
        if not count:
            return len(mine) == len(yours)
        if not mine.slice(0, count).equals(yours.slice(0, count)):
            return False
        mine, yours = mine.slice(count), yours.slice(count)
