"""What seals cost: ingest, fit and embed with them, against the same without writing or comparing any.

Images like MNIST's, 60,000 of 28 x 28, and a dense autoencoder. Nothing that was compared before is remembered.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from paired import Arm, MnistLike, ratios, write_table

from ae_pipelines.base import atomic, seals
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples import shards
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import embedding
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

MOST = {"ingest": 1.03, "fit": 1.03, "embed": 1.12}
RECIPE = Recipe.model_validate(
    {
        "model": {"kind": "autoencoder", "net": {"kind": "dense", "widths": [512, 128]}},
        "training": {"epochs": 2, "threads": 1},
    }
)


@contextmanager
def unsealed() -> Iterator[None]:
    """Files are written and read without seals."""
    with (
        patch.object(seals, "publish", atomic.publish),
        patch.object(seals, "check", lambda *_, **__: None),
        patch.object(shards.ShardFile, "_compare", lambda *_: None),
        patch.object(shards.ShardFile, "refuse_damaged", lambda *_: None),
        patch.object(shards.ShardFile, "_looks", lambda *_: ()),
        patch.object(shards, "_FOUND_WHOLE", {()}),
    ):
        yield


def arms(stage: Callable[[], object]) -> dict[str, Arm]:
    """The stage with seals and without."""

    def sealed() -> None:
        seals._found.clear()
        shards._FOUND_WHOLE.clear()
        stage()

    def plain() -> None:
        with unsealed():
            stage()

    return {"sealed": lambda: sealed, "plain": lambda: plain}


def main(rounds: int) -> bool:
    rows, kept = [], True
    with tempfile.TemporaryDirectory() as temporary:
        folder, source = Path(temporary), MnistLike()
        samples = write_store(folder / "samples", source)
        model = train(samples, RECIPE)[0]
        stages: dict[str, Callable[[], object]] = {
            "ingest": lambda: write_store(folder / "again", source),
            "fit": lambda: train(Samples(samples.folder), RECIPE, CheckpointFile(folder / "checkpoint")),
            "embed": lambda: write_latents(
                folder / "latents.parquet", embedding.latent_stream(model, Samples(samples.folder))
            ),
        }
        for name, stage in stages.items():
            ratio = ratios(arms(stage), "plain", rounds)["sealed"]
            kept &= ratio <= MOST[name]
            rows.append([name, f"{ratio:.3f}", f"{MOST[name]:.2f}"])
    write_table("seals", "Time with seals over time without", ["stage", "ratio (median of rounds)", "at most"], rows)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    sys.exit(not main(parser.parse_args().rounds))
