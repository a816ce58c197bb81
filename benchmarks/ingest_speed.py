"""Ingest of encoded images: how many a second, against one process that only decodes, and how much memory.

CIFAR-10 as JPEGs in parquet from `$AE_TEST_DATA/cifar10`, else digits enlarged and saved as JPEGs.
"""

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from paired import write_table
from PIL import Image

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.sources.image_parquet import ImageParquet

PROJECT = Path(__file__).parents[1]
LEAST = 5000
MOST_MEMORY = 500e6


def source(folder: Path) -> ImageParquet:
    """The source of the images."""
    data = os.environ.get("AE_TEST_DATA")
    path = Path(data) / "cifar10" if data else folder.parent / "digits.parquet"
    if not path.exists():
        write_digits(path)
    return ImageParquet(path=path)


def write_digits(path: Path) -> None:
    """60,000 different JPEGs of 32 × 32."""
    random = np.random.default_rng(0)
    large = next(Digits().blocks()).values[:, 0].repeat(4, axis=1).repeat(4, axis=2)
    contents = []
    for row in range(60_000):
        buffer = io.BytesIO()
        noisy = large[row % len(large)] // 2 + random.integers(0, 60, (32, 32), dtype=np.uint8)
        Image.fromarray(noisy).convert("RGB").save(buffer, "JPEG")
        contents.append({"bytes": buffer.getvalue(), "path": None})
    image = pa.array(contents, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": image, "label": [0] * len(contents)}), path, row_group_size=2000)


def peak_memory(command: list[str], **environment: str) -> float:
    """The most bytes that a process and its workers take together (their own, and their share of shared ones)."""
    process = psutil.Popen(command, cwd=PROJECT, env=os.environ | environment)
    most = 0
    while process.poll() is None:
        with suppress(psutil.Error):
            family = (process, *process.children(recursive=True))
            most = max(most, sum(member.memory_full_info().pss for member in family))
        time.sleep(0.1)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return most


def seconds(work) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main(rounds: int) -> bool:
    with tempfile.TemporaryDirectory() as temporary:
        images = source(Path(temporary) / "0")
        count = images.count()

        def decode_only() -> None:
            for block in images.blocks():
                for content in block.contents:
                    images.decode(content)

        ingest, alone = [], []
        for number in range(rounds):
            folder = Path(temporary) / str(number)
            ingest.append(seconds(lambda folder=folder: write_store(folder, source(folder))))
            alone.append(seconds(decode_only))
        again = seconds(lambda: write_store(folder, source(folder)))
        params = f"--params=data_dir={temporary}/data,source=image_parquet,source.path={images.path}"
        memory = peak_memory(
            [sys.executable, "-m", "ae_pipelines", "--pipelines=ingest", params],
            MLFLOW_TRACKING_URI=f"sqlite:///{temporary}/mlflow.db",
        )
    rate = count / statistics.median(ingest)
    ratio = statistics.median(a / b for a, b in zip(ingest, alone, strict=True))
    table = [
        ["ingest, images a second", f"{rate:,.0f} (≥ {LEAST:,})"],
        ["ingest ÷ one process that reads and decodes, no more", f"{ratio:.2f}"],
        ["ingest again, nothing new, ÷ first ingest", f"{again / statistics.median(ingest):.2f}"],
        [
            "`kedro run --pipelines=ingest`: peak memory, workers and MLflow included",
            f"{memory / 1e6:,.0f} MB (≤ {MOST_MEMORY / 1e6:,.0f})",
        ],
    ]
    title = f"Ingest of {count:,} JPEGs ({images.name}), {os.cpu_count()} CPUs, medians of {rounds} rounds"
    write_table("ingest_speed", title, ["what", "measured"], table)
    return rate >= LEAST and memory <= MOST_MEMORY


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    raise SystemExit(not main(parser.parse_args().rounds))
