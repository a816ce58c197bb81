"""Our training loop against the floor and against a tutorial's loop.

FLOOR is forward, backward and fused Adam, eager and float32, on one batch that is already in memory. Ours
is `ae_pipelines.training.fit` as pipelines call it: gather, cast, schedule, checks and history included.
Denormal numbers are switched off for every arm, so what ours gains by dropping them in later epochs is not
in these ratios; `late_epochs.py` shows it.
"""

import argparse

import numpy as np
import torch
from paired import mnist_like, ratios, write_table
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ae_pipelines.batches import Batches
from ae_pipelines.contract import SampleSpec
from ae_pipelines.models import ModelChoice
from ae_pipelines.recipe import TrainOptions
from ae_pipelines.training import fit

MODELS = {
    # name: net, latent size, batch size, steps in a turn, gates: ours ÷ floor, tutorial ÷ ours
    "a dense 784-512-128-32": ({"kind": "dense", "widths": [512, 128]}, 32, 256, 40, 1.10, 1.2),
    "b conv 32-64-latent 32": ({"kind": "conv", "channels": [32, 64]}, 32, 256, 16, 1.10, None),
    "c dense 784-250-100-10": ({"kind": "dense", "widths": [250, 100]}, 10, 32, 320, 1.20, 1.3),
}
SPEC = SampleSpec(shape=(1, 28, 28), dtype="uint8")


class Images(Dataset):
    """What tutorials write: one sample at a time."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        return torch.from_numpy(self._values[row]).float().div(255), 0


def plain(net: dict, latent_size: int) -> nn.Module:
    """The same architecture as plain torch."""
    model = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(SPEC)
    return nn.Sequential(model.encoder, model.decoder, nn.Sigmoid())


def step(model: nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor) -> torch.Tensor:
    optimiser.zero_grad()
    loss = nn.functional.mse_loss(model(x), x)
    loss.backward()
    optimiser.step()
    return loss


def arms(values: np.ndarray, net: dict, latent_size: int, batch_size: int, steps: int) -> dict:
    some = torch.from_numpy(values[: batch_size * steps])

    def floor():
        model = plain(net, latent_size)
        optimiser = torch.optim.Adam(model.parameters(), fused=True)
        x = some[:batch_size].float() / 255
        return lambda: [step(model, optimiser, x) for _ in range(steps)]

    def tutorial():
        model = plain(net, latent_size)
        optimiser = torch.optim.Adam(model.parameters())
        loader = DataLoader(Images(values[: len(some)]), batch_size, shuffle=True)
        return lambda: sum(step(model, optimiser, x).item() for x, _ in loader)

    def ours(precision: str):
        model = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(SPEC)
        options = TrainOptions(
            epochs=1, precision=precision, schedule="one_cycle", threads=torch.get_num_threads(), device="cpu"
        )
        loader = Batches(some, batch_size=batch_size, scale=SPEC.scale)
        return lambda: fit(model, loader, None, options)

    return {
        "floor": floor,
        "ours": lambda: ours("float32"),
        "ours, bfloat16": lambda: ours("bfloat16"),
        "tutorial": tutorial,
    }


def main(rounds: int) -> bool:
    torch.set_flush_denormal(True)  # for all arms: on one fixed batch the floor runs into denormals soonest
    values, data = mnist_like()
    rows, kept = [], True
    for name, (net, latent_size, batch_size, steps, most, least) in MODELS.items():
        found = ratios(arms(values, net, latent_size, batch_size, steps), "floor", rounds)
        gain = found["tutorial"] / found["ours"]
        kept &= found["ours"] <= most and (least is None or gain >= least)
        rows.append(
            [
                name,
                f"{1000 * found['floor seconds'] / steps:.2f} ms",
                f"{found['ours']:.2f} (≤ {most:.2f})",
                f"{found['ours, bfloat16']:.2f}",
                f"{found['tutorial']:.2f}",
                f"{gain:.2f}" + (f" (≥ {least})" if least else ""),
            ]
        )
    header = ["model", "floor, a step", "ours ÷ floor", "bfloat16 ÷ floor", "tutorial ÷ floor", "tutorial ÷ ours"]
    title = f"Training time, {data}, {torch.get_num_threads()} threads, medians of {rounds} paired rounds"
    write_table("training_speed", title, header, rows)
    return kept


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    raise SystemExit(not main(parser.parse_args().rounds))
