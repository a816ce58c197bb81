"""Our training against pythae's, as users of each have it: every arm is a process of its own, and they take turns.

`pip install pythae` first. pythae trains with its `BaseTrainer`, validation and checkpoints left out, on samples that
it holds in memory; ours is `ae_pipelines.training.loop.fit`. The same net, batches and threads. The options of malloc
(`training.devices`) hold for a process, so ours has them and pythae has not; `ours, malloc as it is` shows their share.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

import torch
from paired import Arm, mnist_like, ratios, write_table
from training_speed import MODELS, SPEC

from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.training import devices
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions

ARMS = ("pythae", "ours", "ours, bfloat16", "ours, malloc as it is")
GATES = {"b conv 32-64-latent 32": {"ours": 0.55, "ours, bfloat16": 0.35}}
"""Most that seconds ÷ pythae may be."""


def pythae(model: torch.nn.Module, x: torch.Tensor, batch_size: int) -> Callable[[], object]:
    """An epoch of pythae's trainer."""
    from pythae.data.datasets import BaseDataset
    from pythae.models import AE, AEConfig
    from pythae.models.base.base_utils import ModelOutput
    from pythae.models.nn import BaseDecoder, BaseEncoder
    from pythae.trainers import BaseTrainer, BaseTrainerConfig

    class Encoder(BaseEncoder):
        def __init__(self) -> None:
            BaseEncoder.__init__(self)
            self.net = model.encoder

        def forward(self, x: torch.Tensor) -> ModelOutput:
            return ModelOutput(embedding=self.net(x))

    class Decoder(BaseDecoder):
        def __init__(self) -> None:
            BaseDecoder.__init__(self)
            self.net = torch.nn.Sequential(model.decoder, torch.nn.Sigmoid())

        def forward(self, z: torch.Tensor) -> ModelOutput:
            return ModelOutput(reconstruction=self.net(z))

    config = AEConfig(input_dim=tuple(x.shape[1:]), latent_dim=model.latent_size)
    options = BaseTrainerConfig(
        output_dir=tempfile.mkdtemp(), num_epochs=1, per_device_train_batch_size=batch_size, learning_rate=1e-3
    )
    samples = BaseDataset(x.float() / 255, torch.zeros(len(x)))
    trainer = BaseTrainer(AE(config, Encoder(), Decoder()), samples, training_config=options)
    trainer.prepare_training()
    return lambda: trainer.train_step(1)


def work(arm: str, name: str) -> Callable[[], object]:
    """An epoch of `arm` for the model called `name`."""
    net, latent_size, batch_size, steps, *_ = MODELS[name]
    x = torch.from_numpy(mnist_like()[0][: batch_size * steps])
    torch.manual_seed(0)
    model = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(Task.plain(SPEC))
    if arm == "pythae":
        return pythae(model, x, batch_size)
    if arm == "ours, malloc as it is":
        devices.MALLOC.clear()
    precision = "bfloat16" if arm == "ours, bfloat16" else "float32"
    options = TrainOptions(epochs=1, precision=precision, threads=torch.get_num_threads(), device="cpu")
    loader = Batches(x, Finish(scale=SPEC.scale), batch_size=batch_size)
    return lambda: fit(model, loader, None, options)


def serve(arm: str, name: str) -> None:
    """Do the work once for each line of the standard input."""
    answers, sys.stdout = sys.stdout, sys.stderr
    torch.set_flush_denormal(True)  # as in training_speed
    epoch = work(arm, name)
    for _ in sys.stdin:
        epoch()
        print("done", file=answers, flush=True)


class Worker:
    """A process that does the work of an arm when asked."""

    def __init__(self, arm: str, name: str) -> None:
        command = [sys.executable, __file__, "--arm", arm, "--model", name]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def turn(self) -> None:
        """Ask, and wait for the answer."""
        print(file=self._pipe(self._process.stdin), flush=True)
        if not self._pipe(self._process.stdout).readline():
            raise SystemExit("a process ended: is pythae installed?")

    def end(self) -> None:
        """Let the process end."""
        self._pipe(self._process.stdin).close()
        self._process.wait()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        if pipe is None:
            raise RuntimeError("not a pipe")
        return pipe


def measured(name: str, rounds: int) -> dict[str, float]:
    workers = {arm: Worker(arm, name) for arm in ARMS}
    arms: dict[str, Arm] = {arm: lambda worker=worker: worker.turn for arm, worker in workers.items()}
    try:
        return ratios(arms, "pythae", rounds)
    finally:
        for worker in workers.values():
            worker.end()


def main(rounds: int, models: list[str]) -> bool:
    rows, kept = [], True
    for name in models:
        found, gates = measured(name, rounds), GATES.get(name, {})
        kept &= all(found[arm] <= most for arm, most in gates.items())
        cells = [f"{found[arm]:.2f}" + (f" (≤ {gates[arm]:.2f})" if arm in gates else "") for arm in ARMS[1:]]
        rows.append([name, f"{1000 * found['pythae seconds'] / MODELS[name][3]:.2f} ms", *cells])
    header = ["model", "pythae, a step", *(f"{arm} ÷ pythae" for arm in ARMS[1:])]
    threads = torch.get_num_threads()
    title = f"Training time against pythae, {mnist_like(1)[1]}, {threads} threads, medians of {rounds} paired rounds"
    write_table(f"{Path(__file__).stem}_{threads}_thread{'s' if threads > 1 else ''}", title, header, rows)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--model", choices=list(MODELS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.arm:
        serve(arguments.arm, arguments.model)
    else:
        raise SystemExit(not main(arguments.rounds, arguments.models))
