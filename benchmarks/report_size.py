"""The page of a run: its size, how long it takes to make, to open and to move, and the memory of its tab.

MNIST with latents by PCA, three layouts of them; and a million made latents, all on the map. Frames are those of a
headless Chromium that draws with the processor: a computer with a graphics card is far quicker. Needs playwright, and
MNIST in `$AE_TEST_DATA`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil

from ae_pipelines.downstream import plane
from ae_pipelines.latents.file import Latents, LatentsInMemory, read_latents
from ae_pipelines.latents.pca import pca_stream
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.report import page, sections
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.idx import IdxFolder
from ae_pipelines.samples.spec import SampleSpec

SIZE, GROUPS = 32, 24
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--enable-unsafe-swiftshader", "--no-first-run", "--disable-background-networking"]
MOST_GAP = 0.2
"""Seconds without a frame while the map moves."""
FRAMES = """() => { window.gaps = []; let before = performance.now();
  const frame = (now) => { gaps.push(now - before); before = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame); }"""


def mnist(folder: Path) -> tuple[Results, ReportOptions]:
    source = IdxFolder(path=Path(os.environ["AE_TEST_DATA"]) / "mnist", name="mnist")
    samples = write_store(folder / "samples", source)
    write_latents(folder / "latents.parquet", pca_stream(samples, SIZE))
    return _results(samples, read_latents(folder / "latents.parquet"), samples.id), ReportOptions()


class MadeVectors:
    """A million vectors in the place of a sample store."""

    id = "made"

    def __init__(self, vectors: np.ndarray) -> None:
        self._vectors, self.spec = vectors, SampleSpec(shape=vectors.shape[1:], dtype="float32")

    def __len__(self) -> int:
        return len(self._vectors)

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self._vectors[rows]


def million(folder: Path) -> tuple[Results, ReportOptions]:
    rng, count = np.random.default_rng(0), 1_000_000
    groups = rng.integers(0, GROUPS, count)
    vectors = (rng.normal(0, 2, (GROUPS, SIZE))[groups] + rng.normal(size=(count, SIZE))).astype(np.float32)
    table = pd.DataFrame({"sample_id": [f"made/{row:07d}" for row in range(count)], "split": "train", "seen": True})
    table = table.assign(label=pd.Series(groups.astype(str)), reconstruction_error=rng.gamma(4, size=count))
    latents = LatentsInMemory(table, vectors, {"encoder_sha256": "made", "samples_id": "made"})
    options = ReportOptions(samples=count, max_bytes=40_000_000)
    return _results(MadeVectors(vectors), latents, "made"), options


def _results(samples: object, latents: Latents, samples_id: str) -> Results:
    """Three layouts: pairs of principal components, which cost nothing and take as many bytes as any other."""
    encoder = SimpleNamespace(contract=SimpleNamespace(sha256=latents.encoder))
    places = plane.plane(latents, ("pca",), len(latents), 0)
    for name, first in (("umap", 2), ("tsne", 4)):
        axes = latents.vectors[:, first : first + 2]
        places = places.assign(**{f"{name}_x": axes[:, 0], f"{name}_y": axes[:, 1]})
    return Results(samples=samples, latents=latents, map=places, autoencoder=encoder)


def write(results: Results, options: ReportOptions, path: Path) -> tuple[float, float]:
    """Seconds that the page takes, and seconds of them at work: a machine with other work takes longer."""
    sections.head = lambda _: Section("verdict", "a page for a benchmark", "")
    sections.below_the_map = lambda _: iter(())
    started, at_work = time.perf_counter(), time.process_time()
    path.write_text(page.page(results, options), encoding="utf-8")
    return time.perf_counter() - started, time.process_time() - at_work


def look(path: Path) -> dict[str, float]:
    """Seconds until the page can be used and until all points are drawn; the longest gaps between frames while it is
    panned and zoomed; megabytes of the tab."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page(viewport={"width": 1280, "height": 800})
        started = time.perf_counter()
        tab.goto(path.as_uri())
        tab.evaluate("report.ready")
        found = {"ready": time.perf_counter() - started}
        tab.evaluate("report.map.drawn()")
        found["drawn"] = time.perf_counter() - started
        tab.evaluate(FRAMES)
        box = tab.locator("#plot").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        found["rest"] = _longest_gap(tab, lambda: tab.wait_for_timeout(800))
        found["pan"] = _longest_gap(tab, lambda: _pan(tab, x, y))
        found["zoom"] = _longest_gap(tab, lambda: _zoom(tab, x, y))
        tab.click("#fit")
        tab.evaluate("report.map.drawn()")
        place = tab.evaluate("report.map.screen(5)")
        found["click"] = _seconds(lambda: (tab.mouse.click(*place), tab.wait_for_selector("#panel .id")))
        found["memory"] = _largest_process(os.getpid()) / 1e6
        browser.close()
    return found


def _pan(tab: object, x: float, y: float) -> None:
    tab.mouse.move(x, y)
    tab.mouse.down()
    for step in range(40):
        tab.mouse.move(x + 4 * step, y + 2 * step)
        tab.wait_for_timeout(16)
    tab.mouse.up()


def _zoom(tab: object, x: float, y: float) -> None:
    tab.mouse.move(x, y)
    for step in range(20):
        tab.mouse.wheel(0, -120 if step < 10 else 120)
        tab.wait_for_timeout(30)


def _longest_gap(tab: object, move: Callable[[], None]) -> float:
    """The median of three tries: other work on the machine makes gaps of its own."""
    found = []
    for _ in range(3):
        tab.wait_for_timeout(500)
        tab.evaluate("gaps.length = 0")
        move()
        found.append(tab.evaluate("Math.max(...gaps)") / 1000)
    return sorted(found)[1]


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _largest_process(of: int) -> int:
    """Bytes of the largest tab among the processes that this one started."""
    tabs = [one for one in psutil.Process(of).children(recursive=True) if "--type=renderer" in one.cmdline()]
    return max(one.memory_info().rss for one in tabs)


PAGES = {
    "MNIST, 70,000 samples": (mnist, 10e6, 60),
    "1,000,000 made latents": (million, 40e6, 120),
}


def main(names: list[str]) -> bool:
    from paired import write_table  # imports torch, which the work does not need

    rows, kept = [], True
    for name in names:
        make, most_bytes, most_seconds = PAGES[name]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.html"
            seconds, at_work = write(*make(Path(folder)), path)
            size, found = path.stat().st_size, look(path)
        kept &= size <= most_bytes and seconds <= most_seconds and max(found["pan"], found["zoom"]) <= MOST_GAP
        rows.append(
            [
                name,
                f"{size / 1e6:.1f} MB (≤ {most_bytes / 1e6:.0f})",
                f"{seconds:.0f} s (≤ {most_seconds}), {at_work:.0f} s of work",
                f"{found['ready']:.1f} s",
                f"{found['drawn']:.1f} s",
                f"{1000 * found['pan']:.0f} and {1000 * found['zoom']:.0f} ms (≤ {1000 * MOST_GAP:.0f})",
                f"{1000 * found['rest']:.0f} ms",
                f"{1000 * found['click']:.0f} ms",
                f"{found['memory']:.0f} MB",
            ]
        )
    header = ["page", "size", "made in", "usable after", "drawn after", "longest gap between frames, pan and zoom"]
    header += ["at rest", "click", "tab"]
    write_table("report_size", "The page of a run, in headless Chromium without a graphics card", header, rows)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=list(PAGES), action="append")
    raise SystemExit(not main(parser.parse_args().only or list(PAGES)))
