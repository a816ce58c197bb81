"""Draws the figures of `docs/tune.md` from small trainings on the digits, a minute or two of one core:
`python docs/images/draw_tune.py`, or with names, such as `python docs/images/draw_tune.py depth beta`."""

import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from sklearn.linear_model import LogisticRegression

from ae_pipelines.models.inputs import inputs
from ae_pipelines.plots.figure import new_figure
from ae_pipelines.plots.learning_rate import curve
from ae_pipelines.plots.rows import examples
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.loop import DivergedError, train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel
from ae_pipelines.tuning.learning_rate import range_test
from ae_pipelines.tuning.options import TuneOptions

SEEDS = (0, 1, 2)
STEPS, RATE = 300, 5e-3
MSE, PROBE = "C0", "C3"
TEST, SHOWN = "test", 8


def recipe(seed: int, model: dict[str, Any] | None = None, loader: dict[str, Any] | None = None, **training) -> Recipe:
    """A dense autoencoder with eight latents, but for what is given."""
    dense = {"kind": "autoencoder", "latent_size": 8, "net": {"kind": "dense", "widths": [64]}}
    schedule = {"steps": STEPS, "learning_rate": RATE, "schedule": "one_cycle", "patience": None}
    return Recipe.model_validate(
        {
            "name": "a dense autoencoder",
            "model": dense | (model or {}),
            "loader": {"batch_size": 64} | (loader or {}),
            "training": schedule | {"seed": seed, "validation_share": 0, "threads": 1} | training,
        }
    )


def values_of(samples: Samples, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Samples of a split as stored, and their labels."""
    rows = samples.positions(split)
    return samples.take(rows), np.array(samples.label_numbers(samples.classes()))[rows]


def judged(trained: TrainedModel, samples: Samples) -> tuple[float, float]:
    """Mean squared error of test samples, and what a linear classifier of train latents gets right of them."""
    (train_values, train_labels), (values, labels) = values_of(samples, "train"), values_of(samples, TEST)
    clean = inputs(values, samples.spec).numpy()
    mse = float(np.square(trained.reconstruct(values) - clean).mean())
    z = trained.encode(train_values)
    scale = z.std()
    probe = LogisticRegression(max_iter=300).fit(z / scale, train_labels)
    return mse, float(probe.score(trained.encode(values) / scale, labels))


def sweep(samples: Samples, of: Callable[[int, Any], Recipe], settings: list[Any]) -> np.ndarray:
    """Both measures (settings, seeds, 2); NaN where a training diverged."""
    found = np.full((len(settings), len(SEEDS), 2), np.nan)
    for place, setting in enumerate(settings):
        for seed in SEEDS:
            try:
                found[place, seed] = judged(train(samples, of(seed, setting))[0], samples)
            except DivergedError:
                continue
        mean, spread = found[place].mean(0), found[place].std(0, ddof=1)
        print(f"  {setting}: mse {mean[0]:.4f} ± {spread[0]:.4f}, probe {mean[1]:.3f} ± {spread[1]:.3f}", flush=True)
    return found


def against(names: list[str], found: np.ndarray, what: str) -> Figure:
    """Two panels: error, and what a linear classifier gets right, against a setting; mean, and one standard deviation
    of the seeds."""
    figure, axes = new_figure(6.4, 2.5, 1, 2)
    places = range(len(names))
    for axis, measure, colour, title in zip(
        axes[0], (0, 1), (MSE, PROBE), ("squared error of test samples", "linear classifier on latents"), strict=True
    ):
        means, spreads = found[:, :, measure].mean(1), found[:, :, measure].std(1, ddof=1)
        axis.errorbar(places, means, spreads, color=colour, marker="o", markersize=4, capsize=3)
        axis.set_xticks(places, names, fontsize=8)
        axis.set_xlabel(what, fontsize=9)
        axis.set_title(title, fontsize=9)
        axis.tick_params(axis="y", labelsize=8)
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylim(bottom=0)
    return figure


def latent_size(samples: Samples) -> Figure:
    sizes = [2, 4, 8, 16, 32]
    found = sweep(samples, lambda seed, size: recipe(seed, {"latent_size": size}), sizes)
    return against([*map(str, sizes)], found, "latents")


def depth(samples: Samples) -> Figure:
    nets = [[], [64], [64, 64], [64, 64, 64, 64]]

    def of(seed: int, widths: list[int]) -> Recipe:
        return recipe(seed, {"net": {"kind": "dense", "widths": widths}})

    return against([str(len(each)) for each in nets], sweep(samples, of, nets), "hidden layers of 64 units, each side")


def corruption(samples: Samples) -> Figure:
    levels = [0.0, 0.1, 0.2, 0.4, 0.8]

    def of(seed: int, level: float) -> Recipe:
        noise = [{"kind": "gaussian_noise", "noise_level": level}] if level else []
        return recipe(seed, {"latent_size": 32}, {"corruptions": noise})

    return against([*map(str, levels)], sweep(samples, of, levels), "standard deviation of the noise")


def vae(seed: int, beta: float) -> Recipe:
    return recipe(seed, {"kind": "vae", "beta": beta})


def beta(samples: Samples) -> Figure:
    weights = [0.1, 0.5, 1.0, 2.0, 5.0]
    return against([*map(str, weights)], sweep(samples, vae, weights), "β, the weight of the KL term")


def beta_samples(samples: Samples) -> Figure:
    values = values_of(samples, TEST)[0][:SHOWN]
    rows = {"sample": inputs(values, samples.spec).numpy()}
    z = np.random.default_rng(0).standard_normal((SHOWN, 8)).astype(np.float32)
    for weight in (0.1, 1.0, 5.0):
        trained = train(samples, vae(0, weight))[0]
        rows[f"β {weight:g}"] = trained.reconstruct(values)
        rows["new" + " " * len(rows)] = trained.decode(z)
    return examples(rows, "Test samples rebuilt, and below each row new ones from noise")


def learning_rate(samples: Samples) -> Figure:
    found = range_test(samples, recipe(0), TuneOptions())
    print(" ", found.note)
    return curve(found)


def learning_rate_after(samples: Samples) -> Figure:
    rates = [3e-4, 1e-3, 3e-3, 1e-2, 3e-2]
    found = sweep(samples, lambda seed, rate: recipe(seed, learning_rate=rate), rates)
    return against([f"{rate:g}" for rate in rates], found, "learning rate (peak)")


FIGURES = (learning_rate, beta_samples, latent_size, beta, corruption, depth, learning_rate_after)

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        digits = write_store(Path(folder), Digits())
        for draw in FIGURES:
            if sys.argv[1:] and draw.__name__ not in sys.argv[1:]:
                continue
            print(draw.__name__, flush=True)
            picture = Path(__file__).with_name(f"tune_{draw.__name__}.png")
            draw(digits).savefig(picture)
            Image.open(picture).convert("RGB").quantize(64).save(picture, optimize=True)
