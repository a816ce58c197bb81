"""Which numbers that a trial can be judged by go with what its latents turn out to be worth? Rank correlations over
recipes, on digits and on parts of MNIST and CIFAR-10; for `tune.objective` and what `auto` picks.

Each recipe learns from the samples of a study, and objectives judge it by others of the train split. Then a linear
probe, and classifiers of 100 labels, are fitted on the latents of what it learned from and judged by the real test
split. What is finished stays in --folder and is not done again, so that several processes may share the work: start
one with --data=mnist and another with --data=cifar10, or each with other --seeds. The table is made of whatever is
there.
"""

import argparse
import json
import logging
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from objectives_tables import write
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_score

from ae_pipelines.base import atomic
from ae_pipelines.comparison.scoreboard.tasks import TaskChoice
from ae_pipelines.downstream.classification import numbered
from ae_pipelines.downstream.classifiers.logistic_regression import LogisticRegression
from ae_pipelines.downstream.few_labels import balanced_draw
from ae_pipelines.latents.file import Latents, LatentsInMemory, read_latents
from ae_pipelines.models.corruptions import one_after_another
from ae_pipelines.models.inputs import inputs
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import EncodedSource, Source
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.sources.idx import IdxFolder
from ae_pipelines.samples.sources.image_parquet import ImageParquet
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.embedding import latent_stream
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel
from ae_pipelines.tuning.harmless import harmless
from ae_pipelines.tuning.objectives import Judged, built, offered
from ae_pipelines.tuning.objectives.classifier import held_out_right
from ae_pipelines.tuning.samples import study_samples

DATA = ("digits", "mnist", "cifar10")
LEARN, JUDGE = 6_000, 2_000
STEPS = {"digits": (800, 300), "mnist": (400, 150), "cifar10": (200, 150)}
"""Of dense nets and of convolutional ones: each training takes 5 to 20 seconds of one CPU."""
BATCH = 128
FEW = {"kind": "logistic_regression", "few_labels": [100], "draws": 10}
LABELS = (100, 300, 1_000)
"""How many the classifier is given, too, beside all."""
SILHOUETTE_GROUPS = 10
LIDAR_SAMPLES, LIDAR_VIEWS, LIDAR_DELTA = 500, 10, 1e-4
ROWS = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--only", nargs="*", help="recipes that are to be finished")
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1] / "data" / "objectives")
    parser.add_argument("--write", action="store_true", help="only write the table of what is there")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    for data in [] if options.write else options.data:
        fill(data, options.seeds, options.only, options.folder.resolve())
    write(options.folder.resolve(), [*recipes("digits")])


def fill(data: str, seeds: list[int], only: list[str] | None, folder: Path) -> None:
    """Measure every recipe that has not been measured, a file for each recipe and seed."""
    whole = stored(folder / data / "samples", data)
    samples = study_samples(whole, LEARN, JUDGE, folder / data / "study")
    for seed in seeds:
        for name, recipe in recipes(data).items():
            path = folder / data / f"{name}-{seed}.json"
            if path.exists() or (only and name not in only):
                continue
            found = measured(whole, samples, with_seed(recipe, seed), folder / data / f"{name}-{seed}.parquet")
            atomic.write_text(path, json.dumps({"data": data, "recipe": name, "seed": seed, **found}, indent=1))
            print(data, name, seed, {key: round(value, 3) for key, value in found.items()}, flush=True)


def stored(folder: Path, data: str) -> Samples:
    """The whole data set; a finished store is taken as it is."""
    if (folder / "manifest.json").exists():
        return Samples(folder)
    raw = Path(os.environ["AE_TEST_DATA"]) if data != "digits" else Path()
    source: Source | EncodedSource = Digits()
    if data == "mnist":
        source = IdxFolder(path=raw / "mnist", name="mnist")
    elif data == "cifar10":
        source = ImageParquet(path=raw / "cifar10")
    return write_store(folder, source)


def recipes(data: str) -> dict[str, Recipe]:
    """Those that are compared: nets, latent sizes, corruptions and methods, some of them trained too little."""
    steps, few_steps = STEPS[data]
    widths = (256, 64) if data == "digits" else (512, 128)
    moved = {"kind": "affine", "shift": 1.0} if data == "digits" else {"kind": "affine"}

    def noise(level: float) -> dict[str, Any]:
        return {"kind": "gaussian_noise", "noise_level": level}

    def mask(share: float) -> dict[str, Any]:
        return {"kind": "masking", "share": share}

    def dense(size: int, *corruptions: dict[str, Any], steps: int = steps, **more: Any) -> dict[str, Any]:
        net = {"kind": "dense", "widths": list(more.pop("widths", widths)), "dropout": more.pop("dropout", 0.0)}
        return of({"kind": "autoencoder", "latent_size": size, "net": net}, corruptions, steps, **more)

    def conv(size: int, *corruptions: dict[str, Any]) -> dict[str, Any]:
        net = {"kind": "conv", "channels": [16, 32], "norm": "batch"}
        return of({"kind": "autoencoder", "latent_size": size, "net": net}, corruptions, few_steps)

    def vae(size: int, beta: float) -> dict[str, Any]:
        net = {"kind": "dense", "widths": [256, 128]}
        plain = of({"kind": "vae", "latent_size": size, "net": net, "beta": beta}, (), steps)
        return {**plain, "loader": {**plain["loader"], "binarise": data == "mnist"}}

    def views(size: int, *corruptions: dict[str, Any]) -> dict[str, Any]:
        net = {"kind": "conv", "channels": [16, 32], "norm": "batch"}
        model = {"kind": "views", "latent_size": size, "features": 64, "net": net, "loss": {"kind": "simclr"}}
        return of(model, corruptions, few_steps)

    plain = {
        "dense 2": dense(2),
        "dense 4": dense(4),
        "dense 10": dense(10),
        "dense 32": dense(32),
        "dense 64": dense(64),
        "dense 10, short": dense(10, steps=60),
        "dense 32, short": dense(32, steps=60),
        "dense 10, slow": dense(10, learning_rate=3e-5),
        "dense 32, dropout": dense(32, dropout=0.3),
        "dense 10, noise": dense(10, noise(0.2)),
        "dense 32, noise": dense(32, noise(0.5)),
        "dense 32, masked": dense(32, mask(0.3)),
        "dense 32, masked more": dense(32, mask(0.6)),
        "dense 10, moved": dense(10, moved),
        "dense 32, moved": dense(32, moved),
        "linear 10": dense(10, widths=()),
        "linear 32": dense(32, widths=()),
        "overcomplete": dense(256, mask(0.3), widths=(256,)),
        "conv 10": conv(10),
        "conv 32": conv(32),
        "conv 10, moved": conv(10, moved),
        "conv 32, moved and masked": conv(32, moved, mask(0.2)),
        "conv 32, noise": conv(32, noise(0.5)),
        "vae 10": vae(10, 1.0),
        "vae 10, beta 3": vae(10, 3.0),
        "patches 32": {"model": {"kind": "patches", "latent_size": 32, "centroids": 100}},
        "views 32": views(32, moved, noise(0.1)),
    }
    return {name: Recipe.model_validate({"name": name, **recipe}) for name, recipe in plain.items()}


def of(
    model: dict[str, Any], corruptions: tuple[dict[str, Any], ...], steps: int, learning_rate: float = 2e-3
) -> dict[str, Any]:
    training = {"steps": steps, "learning_rate": learning_rate, "schedule": "one_cycle", "patience": None}
    return {
        "model": model,
        "loader": {"batch_size": BATCH, "corruptions": list(corruptions)},
        "training": {**training, "validation_share": 0.1},
    }


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    return recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"seed": seed, "threads": 1, "device": "cpu"})}
    )


def measured(whole: Samples, samples: Samples, recipe: Recipe, path: Path) -> dict[str, float]:
    """What test rows say (`probe`, `error100`), and what was known before."""
    started = time.perf_counter()
    trained, _ = train(samples, recipe)
    seconds = time.perf_counter() - started
    latent_stream(trained, samples).into(path)
    latents = read_latents(path)
    path.unlink()
    judged = Judged(trained, recipe, samples, latents, seconds, seed=0)
    found = known_before(judged)
    return {
        **on_test_rows(whole, trained, latents),
        **found,
        "judging_seconds": time.perf_counter() - started - seconds,
    }


def known_before(judged: Judged) -> dict[str, float]:
    """Each objective that the model can be judged by, and numbers that are compared with them."""
    found: dict[str, float] = {}
    for name in offered():
        if built(name).decodes and not hasattr(judged.trained.module, "decode"):
            continue
        found |= built(name).measures(judged)
    labelled = {f"classifier, {count} labels": classifier_of(judged.latents, count) for count in LABELS}
    alone = {f"classifier, {count} labels, judged by a quarter": one_split(judged.latents, count) for count in LABELS}
    return found | labelled | alone | {"silhouette": silhouette(judged.vectors), "lidar": lidar(judged)}


def drawn(latents: Latents, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and class numbers of so many labelled rows of a study, the same for all encoders."""
    classes = numbered(latents.labels)[1]
    rows = balanced_draw(classes, count, 0)
    return rows, classes[rows]


def classifier_of(latents: Latents, count: int) -> float:
    """The objective as it is with so many labels."""
    rows, _ = drawn(latents, count)
    return float(held_out_right(latents.vectors[rows], latents.labels[rows], 0).mean())


def one_split(latents: Latents, count: int) -> float:
    """Accuracy on a quarter of so many labels, learned from the others."""
    rows, classes = drawn(latents, count)
    judging = np.random.default_rng(0).permutation(len(rows)) < len(rows) // 4
    fitted = LogisticRegression().prepare(latents.vectors[rows], 0)
    learned = fitted.fit(np.flatnonzero(~judging), classes[~judging])
    probabilities = learned.probabilities(fitted.places.of(latents.vectors[rows[judging]]))
    return float((np.unique(classes[~judging])[probabilities.argmax(axis=1)] == classes[judging]).mean())


def silhouette(vectors: np.ndarray) -> float:
    """Of k-means' groups (Rousseeuw 1987); never offered: it is highest for latents of few directions."""
    groups = KMeans(SILHOUETTE_GROUPS, n_init=3, random_state=0).fit_predict(vectors)
    return float(silhouette_score(vectors, groups))


def lidar(judged: Judged) -> float:
    """Effective rank of what tells samples apart, as against views of one (Thilak et al. 2024)."""
    views = np.stack([corrupted(judged, seed) for seed in range(LIDAR_VIEWS)]).astype(np.float64)  # (views, n, d)
    count, rows, size = views.shape
    means = views.mean(axis=0)
    between = np.cov(means.T).reshape(size, size)
    inside = (views - means).reshape(-1, size)
    scale = max(np.trace(between) / size, 1e-12)
    within = inside.T @ inside / (rows * (count - 1)) + LIDAR_DELTA * scale * np.eye(size)
    values, directions = np.linalg.eigh(within)
    whitening = directions / np.sqrt(values) @ directions.T
    shares = np.clip(np.linalg.eigvalsh(whitening @ between @ whitening), 0, None)
    shares = shares / shares.sum() + 1e-12
    return float(np.exp(-(shares * np.log(shares)).sum()))


def corrupted(judged: Judged, seed: int) -> np.ndarray:
    """Latents of some samples that judge, corrupted harmlessly."""
    corrupt = one_after_another([choice.build() for choice in harmless(judged.samples.spec)])
    rows = judged.samples.positions("test")[:LIDAR_SAMPLES]
    x = inputs(judged.samples.take(rows), judged.samples.spec)
    x = x if corrupt is None else corrupt(x, torch.Generator().manual_seed(seed))
    module = judged.trained.module
    with torch.inference_mode():
        found: np.ndarray = module.vectors(module.encode(judged.trained.encoder_input(x))).numpy()
    return found


def on_test_rows(whole: Samples, trained: TrainedModel, latents: Latents) -> dict[str, float]:
    """What latents are worth: learned from what the encoder learned from, judged by the real test split."""
    both = with_test_rows(whole, trained, latents)
    encodings = OneEncoder(both)
    few = TaskChoice(kind="few_labels", by=FEW).build()(encodings, 0)
    return {
        "probe": TaskChoice(kind="classify").build()(encodings, 0)["accuracy"],
        "error100": few["error_with_100_labels"],
    }


class OneEncoder:
    """The latents of one encoder, for tasks of the scoreboard."""

    classes: tuple[str, ...] = ()

    def __init__(self, found: Latents) -> None:
        self._found = found

    def latents(self, normal_labels: tuple[str, ...] = ()) -> Latents:
        return self._found


def with_test_rows(whole: Samples, trained: TrainedModel, latents: Latents) -> Latents:
    """The latents of what the encoder learned from, and of the real test split."""
    learned = latents.in_split("train")
    rows = whole.positions("test")
    parts = [trained.encode(whole.take(rows[start : start + ROWS])) for start in range(0, len(rows), ROWS)]
    about = whole.index.iloc[rows][["sample_id", "split", "label"]].assign(seen=False)
    table = pd.concat([latents.table[learned][[*about.columns]], about], ignore_index=True)
    return LatentsInMemory(table, np.concatenate([latents.vectors[learned], *parts]), latents.metadata)


if __name__ == "__main__":
    main()
