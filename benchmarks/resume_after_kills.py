"""Does a training that was killed again and again end with exactly the same bits?

    python benchmarks/resume_after_kills.py --kills 50
    python benchmarks/resume_after_kills.py --kills 10 --frozen
    python benchmarks/resume_after_kills.py --kills 5 --epochs 2 --threads 1

Trainings of a small net without dropout, on digits with noise, run in forked children; each child gets
SIGKILL at a random moment and is started again until it ends. Weights (best and last), optimiser and history
are compared, bit by bit, with an undisturbed training of the same recipe and thread count. With --frozen only
the decoder is trained, beside an encoder that was trained earlier. Without --threads each training looks for the
fastest number of threads, which on a busy machine is slow.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import torch._dynamo  # noqa: F401  what torch's optimisers import: a child that does it first is killed before it trains

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

RECIPE = {
    "model": {"kind": "autoencoder", "latent_size": 8, "net": {"kind": "conv", "channels": [8, 16], "norm": "batch"}},
    "loader": {"batch_size": 16, "corruptions": [{"kind": "gaussian_noise"}]},
    "training": {"epochs": 4, "checkpoint_seconds": 0.0, "schedule": "one_cycle"},
}


def main(kills: int, seed: int = 0, frozen: bool = False, **training) -> dict[str, int]:
    """Counts: kills that hit a running training, trainings, how many of these were taken up from a checkpoint after
    their first step, and how many were bitwise equal. `training` are options of every training."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        _in_child(lambda: write_store(folder / "samples", Digits()))
        if frozen:
            _in_child(lambda: train(Samples(folder / "samples"), _recipe(**training))[0].save(folder / "encoder"))
        started = time.monotonic()
        reference = _undisturbed(folder / "first", folder, training)
        seconds = time.monotonic() - started
        counts = {"kills": 0, "trainings": 0, "taken up": 0, "equal": 0}
        expected = {reference["threads"]: reference["digest"]}
        while counts["kills"] < kills:
            run = folder / f"run{counts['trainings']}"
            disturbed, hits = _disturbed(run, folder, training, chance, seconds)
            threads = disturbed["threads"]
            if threads not in expected:
                same = training | {"threads": threads}
                expected[threads] = _undisturbed(folder / f"threads{threads}", folder, same)["digest"]
            counts["kills"] += hits
            counts["trainings"] += 1
            counts["taken up"] += (run / "taken_up").exists()
            counts["equal"] += disturbed["digest"] == expected[threads]
        return counts


def _undisturbed(run: Path, folder: Path, training: dict) -> dict:
    _in_child(lambda: _train(run, folder, training))
    return json.loads((run / "result.json").read_text())


def _disturbed(run: Path, folder: Path, training: dict, chance: random.Random, seconds: float) -> tuple[dict, int]:
    hits = 0
    while True:
        child = _fork(lambda: _train(run, folder, training))
        if _ends_within(child, chance.uniform(0, seconds)):
            return json.loads((run / "result.json").read_text()), hits
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        hits += 1


def _train(run: Path, folder: Path, training: dict) -> None:
    encoder = folder / "encoder"
    start = {"initial_encoder": str(encoder), "freeze_encoder": True} if encoder.exists() else {}
    recipe = _recipe(**training, **start)
    checkpoint = CheckpointFile(run / "training.checkpoint")
    if (found := checkpoint.load()) is not None and (found[1]["position"]["epoch"] or found[1]["position"]["step"]):
        (run / "taken_up").touch()
    trained, history = train(Samples(folder / "samples"), recipe, checkpoint)
    tensors, state = checkpoint.load()
    digest = hashlib.sha256(json.dumps(history).encode())
    for name, tensor in sorted({**tensors, **trained.module.state_dict()}.items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    result = {"digest": digest.hexdigest(), "threads": state["threads"]}
    (run / "result.json").write_text(json.dumps(result))


def _recipe(**training) -> Recipe:
    return Recipe.model_validate(RECIPE | {"training": RECIPE["training"] | training})


def _fork(work) -> int:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def _in_child(work) -> None:
    child = _fork(work)
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the child failed with status {status}")


def _ends_within(child: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            if status:
                raise RuntimeError(f"the child failed with status {status}")
            return True
        time.sleep(0.002)
    return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frozen", action="store_true")
    parser.add_argument("--epochs", type=int, default=RECIPE["training"]["epochs"])
    parser.add_argument("--threads", type=int)
    counts = main(**vars(parser.parse_args()))
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    raise SystemExit(counts["equal"] != counts["trainings"] or not counts["taken up"])
