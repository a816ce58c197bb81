"""Samples larger than memory: streamed training against training in memory, and peak memory of whole runs.

The synthetic samples are enlarged digits with noise, sorted by class. `ingest, fit, embed` is one
`kedro run` on them; `export` writes latents of a million rows in a process of its own.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from paired import ratios, write_table

from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.array import ArrayFile
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.streamed import StreamedBatches

PROJECT = Path(__file__).parents[1]
NET = {"kind": "dense", "widths": [512, 128]}
BATCH_SIZE = 256
EPOCHS = 3
MOST_TIME, MOST_TRAINING, MOST_EXPORT = 1.10, 1.0e9, 500e6


def write_array(path: Path, rows: int) -> None:
    """(rows, 28, 28) uint8, sorted by class."""
    block = next(Digits().blocks())
    order = np.argsort(np.array(block.labels), kind="stable")
    large = np.pad(block.values[order, 0].repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (rows, 28, 28)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, rows, 10_000):
            positions = np.arange(start, min(start + 10_000, rows)) * len(large) // rows
            noise = random.integers(0, 40, (len(positions), 28, 28), dtype=np.uint8)
            file.write((large[positions] // 2 + noise).tobytes())


EXPORT = f"""
import sys
from pathlib import Path
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.training import embedding
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel

samples = Samples(Path(sys.argv[1]))
recipe = Recipe.model_validate({{"model": {{"kind": "autoencoder", "net": {NET}}}}})
task = recipe.task(samples)
model = TrainedModel.of(recipe.model.build(task), recipe, task, samples)
write_latents(Path(sys.argv[1]).parent / "latents.parquet", embedding.latent_stream(model, samples))
"""


class Turn:
    """Some steps, of a new epoch each time."""

    def __init__(self, loader: Loader, steps: int) -> None:
        self._loader, self._steps, self._epochs = loader, steps, itertools.count()
        self.batch_size = loader.batch_size

    def __len__(self) -> int:
        return self._steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        return itertools.islice(self._loader.epoch(next(self._epochs)), start, self._steps)


def training(samples: Samples, steps: int, rounds: int) -> dict[str, float]:
    """Seconds of streamed steps ÷ seconds of as many steps in memory."""
    options = TrainOptions(epochs=1, threads=torch.get_num_threads(), device="cpu")
    some = np.random.default_rng(0).choice(len(samples), steps * BATCH_SIZE, replace=False)
    resident = torch.from_numpy(samples.take(np.sort(some)))  # of all classes: how fast a step is depends on its data
    streamed = Turn(
        StreamedBatches(
            samples,
            Finish(scale=samples.spec.scale),
            rows=np.arange(len(samples)),
            batch_size=BATCH_SIZE,
            device=torch.device("cpu"),
        ),
        steps,
    )
    in_memory = Turn(Batches(resident, Finish(scale=samples.spec.scale), batch_size=BATCH_SIZE), steps)

    def arm(loader: Turn, cold: bool = False):
        def set_up():
            model = ModelChoice(kind="autoencoder", net=NET).build(Task.plain(samples.spec))
            if cold:
                forget(samples)
            return lambda: fit(model, loader, None, options)

        return set_up

    return ratios(
        {"in memory": arm(in_memory), "streamed": arm(streamed), "cold": arm(streamed, cold=True)},
        "in memory",
        rounds,
    )


def forget(samples: Samples) -> None:
    """Drop the store from the page cache."""
    for shard in samples.manifest.shards:
        with (samples.folder / shard.file).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def label_mix(samples: Samples) -> tuple[float, float]:
    """Standard deviation of how many samples of a batch are from one tenth of the store: streamed, fully shuffled."""
    loader = StreamedBatches(
        samples,
        Finish(scale=samples.spec.scale),
        rows=np.arange(len(samples)),
        batch_size=BATCH_SIZE,
        device=torch.device("cpu"),
    )
    counts = [
        np.bincount(batch.rows.numpy() * 10 // len(samples), minlength=10)
        for batch in itertools.islice(loader.epoch(0), 4000)
    ]
    return float(np.std(counts)), float(np.sqrt(BATCH_SIZE * 0.1 * 0.9))


def peak(command: list[str], **environment: str) -> tuple[float, float]:
    """Seconds and peak resident bytes of a process (of the largest, if it starts others)."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=PROJECT, env=os.environ | environment)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.monotonic() - started, usage.ru_maxrss * 1024


def main(gigabytes: float, steps: int, rounds: int) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        rows = int(gigabytes * 1e9 / 784)
        write_array(folder / "large.npy", rows)
        write_array(folder / "million.npy", 1_000_000)
        million = write_store(folder / "million", ArrayFile(path=folder / "million.npy", layout="NHW"))
        export_seconds, export_peak = peak([sys.executable, "-c", EXPORT, str(million.folder)])
        params = f"data_dir={folder}/data,source=array,source.path={folder}/large.npy,source.layout=NHW,"
        params += f"recipe=dense,recipe.training.epochs={EPOCHS}"
        run = [sys.executable, "-m", "ae_pipelines", "--pipelines=ingest,fit,embed", f"--params={params}"]
        run_seconds, run_peak = peak(run, MLFLOW_TRACKING_URI=f"sqlite:///{folder}/mlflow.db")
        samples = Samples(folder / "data/02_intermediate/samples")
        found = training(samples, steps, rounds)
        mixed, fully = label_mix(samples)
    kept = found["streamed"] <= MOST_TIME and run_peak <= MOST_TRAINING and export_peak <= MOST_EXPORT
    table = [
        ["training, streamed ÷ in memory", f"{found['streamed']:.2f} (≤ {MOST_TIME:.2f})"],
        ["the same, store not in the page cache", f"{found['cold']:.2f}"],
        ["one class in a batch, standard deviation: streamed ÷ full shuffle", f"{mixed:.2f} ÷ {fully:.2f}"],
        [
            f"`ingest,fit,embed`, {rows:,} samples ({gigabytes:g} GB), {EPOCHS} epochs: peak memory",
            f"{run_peak / 1e6:,.0f} MB (≤ {MOST_TRAINING / 1e6:,.0f}), {run_seconds:.0f} s",
        ],
        [
            "export of 1,000,000 rows with errors: peak memory",
            f"{export_peak / 1e6:,.0f} MB (≤ {MOST_EXPORT / 1e6:,.0f}), {export_seconds:.0f} s",
        ],
    ]
    title = f"Out of core, sorted synthetic images 28 × 28, {torch.get_num_threads()} threads, {rounds} paired rounds"
    write_table("out_of_core", title, ["what", "measured"], table)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=4.0)
    parser.add_argument("--steps", type=int, default=1500, help="steps per turn, enough for the buffers to be refilled")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    raise SystemExit(not main(arguments.gigabytes, arguments.steps, arguments.rounds))
