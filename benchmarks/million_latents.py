"""A million latents: grouping, neighbours and the export of assignments and predictions, each in its own process.

The latents file is made once: a mixture of normal distributions, of which one row in fifty has a label. Seconds are
of the work itself, with the file read; memory is the largest that the whole process held, libraries included. KMeans,
which starts on a sample and reads the others piece by piece, is compared with scikit-learn's of all of them in memory.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from ae_pipelines.base.tables import TableStream
from ae_pipelines.downstream import classification, clustering
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.downstream.nearest import Index
from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.latents.parquet import SCHEMA
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents

GROUPS, SIZE, QUERIES = 10, 32, 1000
MOST_BYTES = 1.5e9
MOST_INERTIA, LEAST_AGREEMENT = 1.005, 0.995


def make(path: Path, rows: int) -> None:
    """A latents file with a mixture of `GROUPS` normal distributions."""
    write_latents(path, LatentStream(_ids(rows), _blocks(rows), {"encoder_sha256": "made for this benchmark"}))


def _groups(rows: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, GROUPS, rows)


def _ids(rows: int) -> Iterator[pa.RecordBatch]:
    places, labels = np.arange(rows), _groups(rows)
    for part in np.array_split(places, max(1, rows // 50_000)):
        columns = {
            "sample_id": [f"made/{place:09d}" for place in part],
            "split": np.where(part % 6, "train", "test"),
            "label": [str(labels[place]) if place % 100 < 2 else None for place in part],
            "seen": part % 6 > 0,
        }
        yield pa.RecordBatch.from_pydict(columns, SCHEMA)


def _blocks(rows: int) -> Iterator[LatentBlock]:
    draw = np.random.default_rng(1)
    centres = draw.normal(0, 2, (GROUPS, SIZE))
    for part in np.array_split(_groups(rows), max(1, rows // 50_000)):
        yield LatentBlock((centres[part] + draw.normal(0, 2, (len(part), SIZE))).astype(np.float32))


def fit_kmeans(found: LatentsFile, folder: Path) -> Callable[[], object]:
    found.labels  # noqa: B018
    return lambda: clustering.fit_groups(found, ClusterOptions(clusters=GROUPS))


def neighbours(found: LatentsFile, folder: Path) -> Callable[[], object]:
    queries = found.vectors[np.random.default_rng(0).choice(len(found), QUERIES, replace=False)]
    return lambda: Index(found.vectors).nearest(queries, 10)


def export_groups(found: LatentsFile, folder: Path) -> Callable[[], object]:
    model = clustering.fit_groups(found, ClusterOptions(clusters=GROUPS, restarts=1))
    pieces = (clustering.assign(model, piece) for piece in found.pieces())
    return lambda: TableStream(pieces).into(folder / "clusters.parquet")


def export_classes(found: LatentsFile, folder: Path) -> Callable[[], object]:
    model = classification.fit_classifier(found, ClassifyOptions())
    return lambda: classification.predict(model, found).to_parquet(folder / "predictions.parquet")


WORK = {
    "KMeans, 10 groups": (fit_kmeans, 6),
    "10 exact neighbours of 1,000 queries, index included": (neighbours, 5),
    "groups assigned and written": (export_groups, 10),
    "classes predicted and written": (export_classes, 10),
}


def against_full(path: Path) -> tuple[float, float]:
    """Inertia of our KMeans over that of scikit-learn's on all rows with as many starts, and the share of rows that
    both put into the same group."""
    from sklearn import cluster

    found = LatentsFile(path)
    ours = clustering.fit_groups(found, ClusterOptions(clusters=GROUPS))
    full = cluster.KMeans(GROUPS, n_init=10, random_state=0).fit(found.vectors)
    groups = clustering.assign(ours, found)["cluster"].to_numpy()
    agreeing = clustering.matched_accuracy(full.labels_.astype(str), groups)
    return ours.measures["inertia"] / full.inertia_, agreeing


def measure(name: str, path: Path) -> None:
    """Print the seconds of one kind of work and the process' peak memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        work = WORK[name][0](LatentsFile(path), Path(folder))
        started = time.perf_counter()
        work()
        print(time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def in_a_process(name: str, path: Path) -> tuple[float, float]:
    """Seconds and peak bytes of one kind of work."""
    command = [sys.executable, __file__, "--only", name, "--latents", str(path)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, size = map(float, answer.split()[-2:])
    return seconds, size


def main(rows: int, rounds: int) -> bool:
    from paired import write_table  # imports torch, which the work does not need

    table, kept = [], True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latents.parquet"
        make(path, rows)
        for name, (_, most) in WORK.items():
            found = [in_a_process(name, path) for _ in range(rounds)]
            seconds, size = sorted(seconds for seconds, _ in found), max(size for _, size in found)
            kept &= seconds[0] <= most and size <= MOST_BYTES
            spread = f"{seconds[0]:.1f} to {seconds[-1]:.1f} s (≤ {most})"
            table.append([name, spread, f"{size / 1e9:.2f} GB (≤ {MOST_BYTES / 1e9})"])
        inertia, agreeing = against_full(path)
    kept &= inertia <= MOST_INERTIA and agreeing >= LEAST_AGREEMENT
    limits = f"inertia × {inertia:.4f} (≤ {MOST_INERTIA}), {agreeing:.2%} agree (≥ {LEAST_AGREEMENT:.1%})"
    table.append(["KMeans against scikit-learn's of all rows, 10 starts", limits, ""])
    title = f"{rows:,} latents of size {SIZE}, {rounds} processes each, the quickest to the slowest"
    write_table("million_latents", title, ["work", "seconds", "peak memory"], table)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=list(WORK), help=argparse.SUPPRESS)
    parser.add_argument("--latents", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        measure(arguments.only, arguments.latents)
    else:
        raise SystemExit(not main(arguments.rows, arguments.rounds))
