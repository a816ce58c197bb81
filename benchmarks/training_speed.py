"""Our training loop against the floor and against a tutorial's loop.

FLOOR is forward, backward and fused Adam, eager and float32, on one batch that is already in memory, with weights in
the memory format that ours picks by its probe; the floor in the other format is beside it. Ours
is `ae_pipelines.training.loop.fit` as pipelines call it: gather, cast, schedule, checks and history included.
Denormal numbers are switched off for every arm, so what ours gains by dropping them in later epochs is not
in these ratios; `late_epochs.py` shows it. All arms have the options of malloc that `fit` sets, which hold for the
process; what these give is in `peers.py`.
"""

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from paired import mnist_like, ratios, write_table
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import one_after_another
from ae_pipelines.models.method import Method
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.devices import keep_freed_memory
from ae_pipelines.training.fastest import settled
from ae_pipelines.training.loop import fit
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.recipe import Recipe

MODELS = {
    # name: net, latent size, batch size, steps in a turn, gate: tutorial ÷ ours
    "a dense 784-512-128-32": ({"kind": "dense", "widths": [512, 128]}, 32, 256, 40, 1.2),
    "b conv 32-64-latent 32": ({"kind": "conv", "channels": [32, 64]}, 32, 256, 16, None),
    "c dense 784-250-100-10": ({"kind": "dense", "widths": [250, 100]}, 10, 32, 320, 1.3),
}
MOST = 1.05
"""Most that ours ÷ floor may be."""
FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
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
    model = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(Task.plain(SPEC))
    return nn.Sequential(model.encoder, model.decoder, nn.Sigmoid())


def picked(method: Method, loader: Batches, precision: str = "float32") -> TrainOptions:
    """Options of a turn of ours: with all threads, in the memory format that the probe picks."""
    options = TrainOptions(epochs=1, precision=precision, threads=torch.get_num_threads(), device="cpu")
    setup = settled(options, None, method, lambda: next(loader.epoch(0)), precision, torch.device("cpu"))
    return options.model_copy(update={"memory_format": setup.memory_format})


def step(model: nn.Module, optimiser: torch.optim.Optimizer, x: torch.Tensor) -> torch.Tensor:
    optimiser.zero_grad()
    loss = nn.functional.mse_loss(model(x), x)
    loss.backward()
    optimiser.step()
    return loss


def arms(values: np.ndarray, net: dict, latent_size: int, batch_size: int, steps: int) -> tuple[dict, str]:
    """What takes turns, and the name of the floor."""
    some = torch.from_numpy(values[: batch_size * steps])
    loader = Batches(some, Finish(scale=SPEC.scale), batch_size=batch_size)
    method = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(Task.plain(SPEC))
    chosen = {precision: picked(method, loader, precision) for precision in ("float32", "bfloat16")}

    def floor(memory_format: str):
        model = plain(net, latent_size).to(memory_format=FORMATS[memory_format])
        optimiser = torch.optim.Adam(model.parameters(), fused=True)
        x = some[:batch_size].float() / 255
        return lambda: [step(model, optimiser, x) for _ in range(steps)]

    def tutorial():
        model = plain(net, latent_size)
        optimiser = torch.optim.Adam(model.parameters())
        loader = DataLoader(Images(values[: len(some)]), batch_size, shuffle=True)
        return lambda: sum(step(model, optimiser, x).item() for x, _ in loader)

    def ours(precision: str):
        model = ModelChoice(kind="autoencoder", net=net, latent_size=latent_size).build(Task.plain(SPEC))
        options = chosen[precision].model_copy(update={"schedule": "one_cycle"})
        return lambda: fit(model, loader, None, options)

    floors = {memory_format: partial(floor, memory_format) for memory_format in formats(net)}
    return floors | {
        "ours": lambda: ours("float32"),
        "ours, bfloat16": lambda: ours("bfloat16"),
        "tutorial": tutorial,
    }, chosen["float32"].memory_format


def formats(net: dict) -> list[str]:
    """The memory formats in which a net of this kind is measured."""
    return ["contiguous"] if net["kind"] == "dense" else list(FORMATS)


# -- convolutional methods ------------------------------------------------------------------------------------

CONV = {"kind": "conv", "channels": [32, 64]}
NOISE = {"kind": "gaussian_noise", "noise_level": 0.5, "clip": True}
GENERATOR, DISCRIMINATOR = CONV | {"norm": "batch"}, CONV | {"norm": "batch", "activation": "leaky_relu"}
CONV_METHODS = {
    # name: model, corruptions; batches of 128, 16 steps in a turn
    "d conv VAE 32-64-latent 32": ({"kind": "vae", "net": CONV}, []),
    "e denoising conv 32-64-latent 32": ({"kind": "autoencoder", "net": CONV}, [NOISE]),
    "f DCGAN 32-64-noise 64": ({"kind": "gan", "net": GENERATOR, "discriminator": DISCRIMINATOR}, []),
}


def vae_step(model: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """As in torch's own VAE example."""
    optimiser = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        mean, log_var = model.encoder(x).chunk(2, dim=1)
        raw = model.decoder(mean + (0.5 * log_var).exp() * torch.randn_like(mean))
        likelihood = nn.functional.binary_cross_entropy_with_logits(raw, x, reduction="sum")
        loss = (likelihood - 0.5 * (1 + log_var - mean.square() - log_var.exp()).sum()) / len(x)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def denoising_step(model: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """A step on noisy samples that are already in memory, too."""
    optimiser = torch.optim.Adam(model.parameters(), fused=True)
    noisy = (x + 0.5 * torch.randn_like(x)).clamp(0, 1)
    net = nn.Sequential(model.encoder, model.decoder, nn.Sigmoid())

    def step() -> None:
        optimiser.zero_grad()
        nn.functional.mse_loss(net(noisy), x).backward()
        optimiser.step()

    return step


def gan_step(model: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """As in torch's own DCGAN tutorial: one pass of the generator serves both turns."""
    softplus = nn.functional.softplus
    generator, discriminator = nn.Sequential(model.decoder, nn.Sigmoid()), model.discriminator
    generator_optimiser = torch.optim.Adam(generator.parameters(), fused=True)
    discriminator_optimiser = torch.optim.Adam(discriminator.parameters(), fused=True)

    def step() -> None:
        made = generator(torch.randn(len(x), 64))
        discriminator_optimiser.zero_grad()
        (softplus(-discriminator(x)).mean() + softplus(discriminator(made.detach())).mean()).backward()
        discriminator_optimiser.step()
        generator_optimiser.zero_grad()
        softplus(-discriminator(made)).mean().backward()
        generator_optimiser.step()

    return step


FLOORS = {"vae": vae_step, "autoencoder": denoising_step, "gan": gan_step}


def conv_arms(
    values: np.ndarray, model: dict, corruptions: list, steps: int = 16, batch_size: int = 128
) -> tuple[dict, str]:
    some = torch.from_numpy(values[: batch_size * steps])
    recipe = Recipe.model_validate({"model": model, "loader": {"corruptions": corruptions}})
    corrupt = one_after_another([choice.build() for choice in recipe.loader.corruptions])
    loader = Batches(some, Finish(scale=SPEC.scale, corrupt=corrupt), batch_size=batch_size)
    method = recipe.model.build(Task.plain(SPEC))
    chosen = {precision: picked(method, loader, precision) for precision in ("float32", "bfloat16")}

    def floor(memory_format: str):
        made = recipe.model.build(Task.plain(SPEC)).to(memory_format=FORMATS[memory_format])
        step = FLOORS[model["kind"]](made, some[:batch_size].float() / 255)
        return lambda: [step() for _ in range(steps)]

    def ours(precision: str):
        method = recipe.model.build(Task.plain(SPEC))
        return lambda: fit(method, loader, None, chosen[precision])

    floors = {memory_format: partial(floor, memory_format) for memory_format in FORMATS}
    ours_too = {"ours": lambda: ours("float32"), "ours, bfloat16": lambda: ours("bfloat16")}
    return floors | ours_too, chosen["float32"].memory_format


def main(rounds: int) -> bool:
    keep_freed_memory()
    torch.set_flush_denormal(True)  # for all arms: on one fixed batch the floor runs into denormals soonest
    values, data = mnist_like()
    rows, kept = [], True
    for name, (net, latent_size, batch_size, steps, least) in MODELS.items():
        turns, floor = arms(values, net, latent_size, batch_size, steps)
        found = ratios(turns, floor, rounds)
        gain = found["tutorial"] / found["ours"]
        kept &= found["ours"] <= MOST and (least is None or gain >= least)
        gained = f"{gain:.2f}" + (f" (≥ {least})" if least else "")
        rows.append([name, *cells(found, floor, steps), f"{found['tutorial']:.2f}", gained])
    for name, (model, corruptions) in CONV_METHODS.items():
        turns, floor = conv_arms(values, model, corruptions)
        found = ratios(turns, floor, rounds)
        kept &= found["ours"] <= MOST
        rows.append([name, *cells(found, floor, 16), "", ""])
    header = [
        "model",
        "floor, a step",
        "other format ÷ floor",
        "ours ÷ floor",
        "bfloat16 ÷ floor",
        "tutorial ÷ floor",
        "tutorial ÷ ours",
    ]
    title = f"Training time, {data}, {torch.get_num_threads()} threads, medians of {rounds} paired rounds"
    write_table("training_speed", title, header, rows)
    return kept


def cells(found: dict[str, float], floor: str, steps: int) -> list[str]:
    """A step of the floor, the other floor, ours, and ours in bfloat16."""
    other = [f"{found[name]:.2f} ({name})" for name in FORMATS if name in found and name != floor]
    return [
        f"{1000 * found[f'{floor} seconds'] / steps:.2f} ms ({floor})",
        *(other or [""]),
        f"{found['ours']:.2f} (≤ {MOST})",
        f"{found['ours, bfloat16']:.2f}",
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    raise SystemExit(not main(parser.parse_args().rounds))
