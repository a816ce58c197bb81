"""Times of several ways to do the same work, taken in turns in one process: ratios hold on a noisy machine."""

import gzip
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.spec import SampleSpec

RESULTS = Path(__file__).parent / "results"


Arm = Callable[[], Callable[[], object]]
"""Sets up, untimed, and gives the work to be timed."""


def ratios(arms: dict[str, Arm], floor: str, rounds: int) -> dict[str, float]:
    """Median over rounds of (seconds of the arm ÷ seconds of `floor` in the same round), and the floor's seconds."""
    for set_up in arms.values():
        set_up()()
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds):
        names = list(arms) if number % 2 else list(reversed(arms))
        for name in names:
            work = arms[name]()
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    result = {
        name: statistics.median(mine / base for mine, base in zip(times, seconds[floor], strict=True))
        for name, times in seconds.items()
    }
    return result | {f"{floor} seconds": statistics.median(seconds[floor])}


def mnist_like(rows: int = 60_000) -> tuple[np.ndarray, str]:
    """Images (rows, 1, 28, 28), uint8, and their origin: MNIST in `$AE_TEST_DATA`, else enlarged digits, repeated."""
    folder = os.environ.get("AE_TEST_DATA")
    if folder:
        content = gzip.decompress((Path(folder) / "mnist" / "train-images-idx3-ubyte.gz").read_bytes())
        return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:rows].copy(), "MNIST"
    small = next(Digits().blocks()).values
    large = np.pad(small.repeat(3, axis=2).repeat(3, axis=3), ((0, 0), (0, 0), (2, 2), (2, 2)))
    return np.resize(large, (rows, 1, 28, 28)), "enlarged digits"


class MnistLike:
    """These images as a source."""

    name = "images"

    def __init__(self, rows: int = 60_000) -> None:
        self.values, self.data = mnist_like(rows)

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=(1, 28, 28), dtype="uint8")

    def count(self) -> int:
        return len(self.values)

    def blocks(self) -> Iterator[Block]:
        yield Block(self.values, [f"{row:05d}" for row in range(len(self.values))])


def write_table(name: str, title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table and keep it as `results/<name>.md`."""
    machine = f"{os.cpu_count()} CPUs ({_cpu()}), torch {torch.__version__}, Python {platform.python_version()}"
    load = f"load average at the end {os.getloadavg()[0]:.1f}"
    lines = [f"# {title}", "", f"{machine}; {load}.", "", _row(header), _row(["---"] * len(header))]
    text = "\n".join([*lines, *map(_row, rows)]) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(text)
    print(text)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor() or platform.machine()
