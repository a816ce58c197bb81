"""Do methods learn as well in bfloat16 as in float32? Published recipes with few steps, over some seeds.

A recipe passes if no measure of unseen samples gets worse by more than float32 seeds differ among themselves (their
standard deviation). What passes is what `precision: auto` trains in bfloat16, by `Method.learns_in_bfloat16`.
"""

import argparse
import gzip
import io
import itertools
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import pyarrow.parquet as pq
import yaml
from paired import write_table
from PIL import Image
from sklearn.linear_model import LogisticRegression

from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.evaluation import evaluate
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

RECIPES = Path(__file__).parents[1] / "conf" / "base" / "parameters" / "recipes"
TRAIN, TEST = 5000, 2000
SPREAD = 1.0
"""Most that the mean over seeds may get worse, in standard deviations of the float32 seeds."""


@dataclass(frozen=True)
class Images:
    """Labelled images (n, channels, height, width), of which the first `train` are to be learned from."""

    values: np.ndarray
    labels: np.ndarray
    train: int
    name = "images"

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=self.values.shape[1:], dtype="uint8")

    def count(self) -> int:
        return len(self.values)

    def blocks(self) -> Iterator[Block]:
        splits = ["train" if row < self.train else "test" for row in range(len(self.values))]
        yield Block(
            self.values,
            [f"{row:05d}" for row in range(len(self.values))],
            [str(label) for label in self.labels],
            splits,
        )


def mnist(folder: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of MNIST's train split, and their labels."""
    images, labels = (
        gzip.decompress((folder / "mnist" / f"train-{name}-ubyte.gz").read_bytes())
        for name in ("images-idx3", "labels-idx1")
    )
    values = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return values[:rows], np.frombuffer(labels, np.uint8, offset=8)[:rows]


def cifar10(folder: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The first images of CIFAR-10's train split, and their labels."""
    table = pq.read_table(folder / "cifar10" / "train.parquet").slice(0, rows)
    images = [np.asarray(Image.open(io.BytesIO(one["bytes"].as_py()))) for one in table["image"]]
    return np.stack(images).transpose(0, 3, 1, 2), table["label"].to_numpy()


DATA = {
    # recipe: its data; all of them convolve, since others gain nothing (training_speed)
    "conv": mnist,
    "conv_vae": mnist,
    "conv_denoising": mnist,
    "probe": mnist,
    "siamese": mnist,
    "denoise_photos": cifar10,
    "views": cifar10,
}


def recipe(name: str, **training: object) -> Recipe:
    content = yaml.safe_load((RECIPES / f"{name}.yml").read_text())["recipes"][name]
    content["training"] |= training
    return Recipe.model_validate(content | {"name": name})


def measures(samples: Samples, labels: np.ndarray, chosen: Recipe) -> dict[str, float]:
    """Of test samples: the loss, and the share that a linear probe on the latents gets wrong; lower is better."""
    model, _ = train(samples, chosen)
    metrics = evaluate(model, samples, chosen)
    found = {"loss": sum(value for name, value in metrics.items() if name.startswith("test/"))}
    if hasattr(model.module, "encode"):
        found["probe error"] = 1 - probe(samples, model.encode(samples.read()), labels)
    return found


def probe(samples: Samples, vectors: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy of logistic regression on latents (n, d), all of them scaled by one number."""
    train_rows, test_rows = samples.positions("train"), samples.positions("test")
    vectors = vectors / vectors[train_rows].std()
    known = LogisticRegression(max_iter=300).fit(vectors[train_rows], labels[train_rows])
    return float(known.score(vectors[test_rows], labels[test_rows]))


def main(names: list[str], seeds: int, steps: int, threads: int) -> bool:
    rows, passed = [], True
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            values, labels = DATA[name](Path(os.environ["AE_TEST_DATA"]), TRAIN + TEST)
            samples = write_store(Path(folder) / name, Images(values, labels, TRAIN))
            found: dict[str, list[dict[str, float]]] = {"float32": [], "bfloat16": []}
            for seed, precision in itertools.product(range(seeds), found):
                chosen = recipe(name, steps=steps, epochs=None, seed=seed, precision=precision, threads=threads)
                found[precision].append(measures(samples, labels, chosen))
            for measure in found["float32"][0]:
                full, half = ([one[measure] for one in found[precision]] for precision in ("float32", "bfloat16"))
                worse, spread = mean(half) - mean(full), stdev(full)
                kept = worse <= SPREAD * spread
                passed &= kept
                cells = [f"{mean(full):.4g}", f"{mean(half):.4g}", f"{worse:+.2g}", f"{spread:.2g}"]
                rows.append([name, DATA[name].__name__, measure, *cells, "yes" if kept else "no"])
                print(*rows[-1], flush=True)
    means = ["float32", "bfloat16", "difference", "deviation of float32 seeds"]
    header = ["recipe", "data", "measure, lower is better", *means, "passed"]
    title = f"bfloat16 against float32: {seeds} seeds, {steps} steps, {TRAIN:,} train samples"
    write_table(Path(__file__).stem, title, header, rows)
    return passed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    raise SystemExit(not main(arguments.recipes, arguments.seeds, arguments.steps, arguments.threads))
