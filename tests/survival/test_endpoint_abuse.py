"""Abuse of an endpoint: good requests are answered all the while, and memory stays within bounds."""

import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from abuse import ABUSES, instances, posted
from attacks import LONG, tries
from making import PATIENCE
from mlflow import pyfunc
from mlflow.pyfunc import scoring_server
from PIL import Image
from sklearn.datasets import load_digits

from ae_pipelines.downstream import clustering, detection
from ae_pipelines.downstream.on_latents import learned_sha256
from ae_pipelines.latents.file import read_latents
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.image_folder import ImageFolder
from ae_pipelines.scoring import model
from ae_pipelines.training import embedding
from ae_pipelines.training.loop import train

SECONDS = 3
"""Time in which a request has to arrive here."""
MOST_MB = 300
"""Memory that all abuse together may take beyond what good requests take."""
USUAL = 5
"""Seconds in which a good request is answered on a machine that is busy with other tests, too."""


@pytest.fixture(scope="module")
def version(tmp_path_factory, recipe) -> Path:
    """A version of models on images that are brought to one size, as MLflow keeps it."""
    folder = tmp_path_factory.mktemp("served")
    (images := folder / "images").mkdir()
    for number, pixels in enumerate(load_digits().images[:300].astype(np.uint8) * 16):
        Image.fromarray(pixels).save(images / f"{number:03d}.png")
    samples = write_store(folder / "store", ImageFolder(path=images, size=(8, 8), resize="crop", colour="grey"))
    trained = train(samples, recipe)[0]
    write_latents(folder / "latents.parquet", embedding.latent_stream(trained, samples))
    latents = read_latents(folder / "latents.parquet")
    groups = clustering.fit_groups(latents, clustering.ClusterOptions())
    detector = detection.fit_detector(latents, detection.DetectOptions())
    (folder / "onnx").mkdir()
    learned = learned_sha256(groups, detector)
    onnx: Any = SimpleNamespace(
        folder=folder / "onnx", contract=SimpleNamespace(encoder_sha256=trained.contract.sha256, models=learned)
    )
    model.assembly((trained, groups, None, detector), latents, samples, {}, onnx).into(folder / "models")
    pyfunc.save_model(
        folder / "version", loader_module="ae_pipelines.tracking.serving", data_path=str(folder / "models")
    )
    return folder / "version"


@pytest.fixture
def server(version: Path) -> Iterator[tuple[int, int]]:
    """The port and the process that `mlflow models serve` would start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command, environment = scoring_server.get_cmd(str(version), port, "127.0.0.1")
    process = subprocess.Popen(
        [sys.executable, "-m", *command.split()],
        env=environment | {"AE_SERVE_SECONDS": str(SECONDS), "OMP_NUM_THREADS": "1"},
        stdout=(log := (version.parent / "server.log").open("w")),
        stderr=subprocess.STDOUT,
        cwd=version.parent,
    )
    try:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        assert process.poll() is None, Path(log.name).read_text()
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def memory(process: int, name: str) -> float:
    """MB, by the kernel's name: VmRSS now, VmHWM at most."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


@dataclass
class Good:
    """A client that asks for what is right, again and again."""

    port: int
    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    @contextmanager
    def asking(self) -> Iterator[None]:
        ended = Event()

        def ask_until_ended() -> None:
            while not ended.wait(0.05):
                self.ask()

        thread = Thread(target=ask_until_ended)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def ask(self) -> None:
        started = time.monotonic()
        body = instances(np.random.default_rng(0).integers(0, 256, (1, 8, 8)).tolist())
        self.failed += posted(self.port, body) != 200
        self.seconds.append(time.monotonic() - started)


def test_good_requests_are_answered_while_an_endpoint_is_abused_and_memory_stays_bounded(server, record):
    port, process = server
    good = Good(port)
    for _ in range(20):
        good.ask()
    assert not good.failed
    usual, good.seconds = max(good.seconds), []
    before = memory(process, "VmHWM")
    chosen = [(name, *abuse) for name, abuse in ABUSES.items() if LONG or abuse[2]]
    rounds = tries(1, 2)
    odd: list[str] = []
    peaks: dict[str, float] = {}

    def abused(name: str, client: Any, statuses: set[int | None]) -> None:
        found = client(port)
        late = {408}  # large requests come one after another, and may wait too long for their turn
        if not (found if isinstance(found, set) else {found}) <= statuses | late:
            odd.append(f"{name}: {found}")

    with good.asking():
        for turn in range(rounds):
            random.Random(turn).shuffle(chosen)
            slow = [one for one in chosen if {408, None} & one[2]]
            with ThreadPoolExecutor(4) as clients:  # those that wait for the server to end them, at once
                waiting = [clients.submit(abused, *one[:3]) for one in slow]
                for one in chosen:
                    if one not in slow:
                        peak = memory(process, "VmHWM")
                        abused(*one[:3])
                        peaks[one[0]] = memory(process, "VmHWM") - peak
                for each in waiting:
                    each.result()
    grown = memory(process, "VmHWM") - before
    slowest = max(good.seconds)
    found = {
        "good requests failed": good.failed,
        "answered otherwise": len(odd),
        "memory beyond 300 MB": int(grown > MOST_MB),
    }
    note = (
        f"{len(good.seconds):,} good requests, the slowest {slowest:.2f} s (undisturbed {usual:.2f} s); "
        f"memory +{grown:.0f} MB at most"
    )
    record("endpoint abuse", rounds * len(chosen), found, note)
    assert not any(found.values()), (found, odd, note, sorted(peaks.items(), key=lambda peak: -peak[1])[:8])
