"""Is layer-by-layer pretraining worth it? Test errors on MNIST over seeds, against the same nets trained in one go.

A phase has 10 epochs. "as long" has as many epochs in one go as all phases have together.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
from paired import mnist_like, write_table

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.evaluation import evaluate
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

EPOCHS = 10
NETS = {
    # name: net, latent size, learning rate
    "784-512-128-32, ReLU": ({"kind": "dense", "widths": [512, 128]}, 32, 1e-3),
    "784-500-250-100-30, sigmoid": ({"kind": "dense", "widths": [500, 250, 100], "activation": "sigmoid"}, 30, 1e-3),
}


class Images:
    """Samples in memory as a source; every seventh is a test one."""

    name = "images"

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=self._values.shape[1:], dtype="uint8")

    def count(self) -> int:
        return len(self._values)

    def blocks(self):
        splits = ["test" if row % 7 == 6 else "train" for row in range(len(self._values))]
        yield Block(self._values, [f"images/{row}" for row in range(len(self._values))], None, splits)


def error(samples: Samples, kind: str, net: dict, latent_size: int, rate: float, epochs: int, seed: int) -> float:
    training = {"epochs": epochs, "learning_rate": rate, "seed": seed, "threads": 1, "patience": None}
    model = {"kind": kind, "net": net, "latent_size": latent_size}
    recipe = Recipe.model_validate({"model": model, "loader": {"batch_size": 256}, "training": training})
    trained, _ = train(samples, recipe)
    return evaluate(trained, samples, recipe)["test/autoencoder/reconstruction"]


def main(seeds: int) -> None:
    values, data = mnist_like()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        samples = write_store(Path(folder), Images(values))
        for name, (net, latent_size, rate) in NETS.items():
            phases = len(net["widths"]) + 2
            arms = {
                "in one go": ("autoencoder", EPOCHS),
                "stacked": ("stacked", EPOCHS),
                "in one go, as long": ("autoencoder", EPOCHS * phases),
            }
            cells = []
            for kind, epochs in arms.values():
                found = [error(samples, kind, net, latent_size, rate, epochs, seed) for seed in range(seeds)]
                cells.append(f"{statistics.mean(found):.5f} ± {statistics.pstdev(found):.5f}")
                print(name, kind, epochs, found, flush=True)
            rows.append([name, f"{EPOCHS} epochs: {cells[0]}", f"{phases} × {EPOCHS}: {cells[1]}", f"{cells[2]}"])
    title = f"Mean squared error of test samples, {data}, {seeds} seeds"
    write_table("stacked", title, ["net", *arms], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    main(parser.parse_args().seeds)
