"""Does a study that was killed again and again end with exactly the same trials?

    python benchmarks/tune_after_kills.py --kills 10

A study of digits runs in forked children; each gets SIGKILL at a random moment and is started again until it ends. The
values, states, curves and measures of its trials, and what Optuna reads of its journal, are compared with those of an
undisturbed study. With --cut the journal is cut at a random place after each kill.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import optuna
import torch._dynamo  # noqa: F401  what torch's optimisers import: a child that does it first is killed before it trains
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.samples import study_samples
from ae_pipelines.tuning.space import Space
from ae_pipelines.tuning.study import JOURNAL, run_study

RECIPE = {
    "name": "small",
    "model": {"kind": "autoencoder", "latent_size": 8, "net": {"kind": "dense", "widths": [64]}},
    "loader": {"batch_size": 16},
    "training": {"epochs": 8, "threads": 1, "checkpoint_seconds": 0.0},
}
FIELDS = {
    "model.latent_size": {"low": 2, "high": 16},
    "model.net.widths": {"choices": {"narrow": [32], "middle": [64], "wide": [128, 64]}},
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "loader.corruptions": {"choices": {"none": [], "noise": [{"kind": "gaussian_noise", "noise_level": 0.2}]}},
}


def main(kills: int, seed: int, objective: str, trials: int, workers: int, cut: bool) -> dict[str, int]:
    """Counts: kills, trainings that were taken up in mid-course, trials and how many of these were equal."""
    chance = random.Random(seed)
    space = Space.model_validate({"name": "of digits", "fields": FIELDS})
    options = TuneOptions(space=space, objective=[objective], trials=trials, workers=workers)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        samples = study_samples(write_store(folder / "digits", Digits()), 800, 400, folder / "samples")
        started = time.monotonic()
        _in_child(samples, options, folder / "undisturbed", None)
        seconds = time.monotonic() - started
        counts = {"kills": 0, "taken up": 0, "trials": trials, "equal": 0}
        while not (folder / "disturbed" / "ended").exists():
            # so many kills in the time that the study takes
            limit = chance.uniform(0, 2 * seconds / kills) + 1.0 if counts["kills"] < kills else None
            counts["kills"] += not _in_child(samples, options, folder / "disturbed", limit)
            counts["taken up"] += len([*folder.glob("disturbed/*/trial-*/training.checkpoint")])
            if cut and limit is not None:
                for path in folder.glob(f"disturbed/*/{JOURNAL}"):
                    os.truncate(path, chance.randrange(path.stat().st_size + 1))
        ended = [_trials(folder / name) for name in ("undisturbed", "disturbed")]
        counts["equal"] = sum(one == other for one, other in zip(*ended, strict=True))
        return counts


def _in_child(samples: Samples, options: TuneOptions, folder: Path, limit: float | None) -> bool:
    """Run the study for at most so many seconds; whether it ended by itself."""
    process = multiprocessing.get_context("fork").Process(target=_run, args=(samples, options, folder))
    process.start()
    process.join(limit)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        return False
    if process.exitcode:
        raise RuntimeError(f"the child failed with status {process.exitcode}")
    return True


def _run(samples: Samples, options: TuneOptions, folder: Path) -> None:
    run_study(samples, Recipe.model_validate(RECIPE), options, folder)
    (folder / "ended").touch()


def _trials(folder: Path) -> list[tuple[dict, tuple]]:
    """What each trial left, and what Optuna knows of it, without times."""
    (journal,) = folder.glob(f"*/{JOURNAL}")
    kept = [json.loads(path.read_text()) for path in sorted(journal.parent.glob("trial-*/outcome.json"))]
    study = optuna.load_study(study_name=None, storage=JournalStorage(JournalFileBackend(str(journal))))
    known = [(trial.state, trial.values, trial.params, trial.intermediate_values) for trial in study.trials]
    return [({**one, "seconds": None}, other) for one, other in zip(kept, known, strict=True)]


if __name__ == "__main__":
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--objective", default="reconstruction")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cut", action="store_true")
    counts = main(**vars(parser.parse_args()))
    print(", ".join(f"{name}: {count}" for name, count in counts.items()))
    raise SystemExit(counts["equal"] != counts["trials"])
