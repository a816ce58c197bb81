"""Seconds per epoch as training goes on: a plain torch loop against ours.

Adam's moments of silent weights decay into denormal numbers, which CPUs are slow on; ours drops them.
"""

import time

import torch
from paired import mnist_like, write_table
from training_speed import MODELS, SPEC, plain, step

from ae_pipelines.base.run import Run
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions

EPOCHS = 4


def main() -> None:
    values, data = mnist_like()
    rows = []
    for name in [name for name in MODELS if " dense " in name]:
        net, latent_size, batch_size, *_ = MODELS[name]
        loader = Batches(torch.from_numpy(values), Finish(scale=SPEC.scale), batch_size=batch_size)
        theirs, mine = plain_epochs(net, latent_size, loader), our_epochs(net, latent_size, loader)
        for label, seconds in (("plain fused Adam", theirs), ("ours", mine)):
            rows.append([name, label, *(f"{s:.2f}" for s in seconds), f"{seconds[-1] / seconds[0]:.2f}"])
    title = f"Seconds an epoch, {data}, {torch.get_num_threads()} threads"
    write_table(
        "late_epochs", title, ["model", "loop", *(f"epoch {n + 1}" for n in range(EPOCHS)), "last ÷ first"], rows
    )


def plain_epochs(net: dict, latent_size: int, loader: Batches) -> list[float]:
    torch.manual_seed(0)
    model = plain(net, latent_size)
    optimiser = torch.optim.Adam(model.parameters(), fused=True)
    seconds = []
    for epoch in range(EPOCHS):
        started = time.perf_counter()
        for batch in loader.epoch(epoch):
            step(model, optimiser, batch.input)
        seconds.append(time.perf_counter() - started)
    return seconds


def our_epochs(net: dict, latent_size: int, loader: Batches) -> list[float]:
    torch.manual_seed(0)
    model = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(Task.plain(SPEC))
    ends: list[float] = []
    options = TrainOptions(epochs=EPOCHS, threads=torch.get_num_threads(), device="cpu")
    started = time.perf_counter()
    fit(model, loader, None, options, run=Clock(ends))
    return [end - start for start, end in zip([started, *ends], ends, strict=False)]


class Clock(Run):
    """Notes when each epoch ended."""

    def __init__(self, ends: list[float]) -> None:
        self._ends = ends

    def report(self, metrics: dict[str, float], step: int) -> None:
        self._ends.append(time.perf_counter())


if __name__ == "__main__":
    main()
