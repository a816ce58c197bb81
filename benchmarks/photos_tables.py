"""The tables of `photos.py`: every encoder by every task, what was to be reached, and longer trainings."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from paired import RESULTS, write_table

from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.training.collapse import effective_rank

BEST = "photos"
PLAIN, ALONE = "autoencoder of views_restore", "views_restore without decoder"
"""What `views_restore` is compared with: the same net trained as long for pixels alone, or for views alone."""


@dataclass(frozen=True)
class Gate:
    """A number that must be seen."""

    what: str
    least: float
    aim: float
    value: float

    def row(self) -> list[str]:
        """Its cells; numbers that are to be small have a larger `least` than `aim`."""
        sign = 1 if self.aim > self.least else -1
        met = "aim" if sign * (self.value - self.aim) >= 0 else "yes" if sign * (self.value - self.least) >= 0 else "no"
        return [self.what, f"{self.least:g}", f"{self.aim:g}", f"{self.value:.3f}", met]


def write(name: str, table: pd.DataFrame, folder: Path, seeds: list[int]) -> None:
    """The table of all encoders, then gates and what is known of collapse."""
    found = Found(table)
    columns = ["linear_probe/accuracy", *(f"few_labels/error_with_{n}_labels" for n in (100, 1000))]
    columns += ["five_nearest/accuracy", "neighbours/same_class", "groups/unseen_accuracy", "reconstruction/mse"]
    heads = ["linear probe", "error, 100 labels (%)", "1,000 labels (%)", "5-NN", "neighbours", "KMeans", "mse"]
    rows = []
    for encoder in found.encoders:
        seconds, rank = spent(folder, encoder, seeds), rank_of(folder, encoder, seeds[0])
        rows.append([encoder, *(found.cell(encoder, column) for column in columns), *seconds, rank])
    header = ["encoder", *heads, "seconds", "CPU seconds", "effective rank"]
    write_table(name, f"Latents of CIFAR-10, {len(seeds)} seeds: mean ± standard deviation", header, rows)
    gates = gates_of(found) if BEST in found.encoders else gates_of_gpu(found)
    header = ["what", "at least", "aim", "measured", "reached"]
    append(name, "What must be seen", header, [gate.row() for gate in gates])


class Found:
    """A table of the scoreboard, looked up."""

    def __init__(self, table: pd.DataFrame) -> None:
        ordered = table.sort_values("control", kind="stable")
        self.encoders = list(dict.fromkeys(ordered["encoder"]))
        self.controls = list(dict.fromkeys(table.loc[table["control"], "encoder"]))
        keys = zip(table["encoder"], table["task"] + "/" + table["metric"], strict=True)
        self._found = dict(zip(keys, zip(table["mean"], table["sd"], strict=True), strict=True))

    def mean(self, encoder: str, column: str) -> float:
        return float(self._found.get((encoder, column), (np.nan, np.nan))[0])

    def cell(self, encoder: str, column: str) -> str:
        mean, sd = self._found.get((encoder, column), (np.nan, np.nan))
        digits = 1 if "error" in column else 4 if "mse" in column else 3
        return "" if np.isnan(mean) else f"{mean:.{digits}f}" + ("" if np.isnan(sd) else f" ± {sd:.{digits}f}")


def gates_of(found: Found) -> Iterator[Gate]:
    def probe(encoder: str) -> float:
        return found.mean(encoder, "linear_probe/accuracy")

    def error(encoder: str, labels: int) -> float:
        return found.mean(encoder, f"few_labels/error_with_{labels}_labels")

    mse = {name: found.mean(name, "reconstruction/mse") for name in ("views_restore", PLAIN)}
    control = np.nanmax([probe(name) for name in [*found.controls, "patches"]])
    restore, best = "views with reconstruction", "best recipe"
    yield Gate("views, d = 64: linear probe", 0.52, 0.60, probe("views"))
    yield Gate("views, d = 64: error with 1,000 labels (%)", 55, 48, error("views", 1000))
    yield Gate(f"{restore}: probe lost", 0.02, 0, probe(ALONE) - probe("views_restore"))
    yield Gate(f"{restore}: more mse than a plain autoencoder", 0.2, 0.05, mse["views_restore"] / mse[PLAIN] - 1)
    yield Gate("patches, d = 64: linear probe", 0.54, 0.58, probe("patches"))
    yield Gate("patches, d = 64: error with 100 labels (%)", 69, 65, error("patches", 100))
    yield Gate(f"{best}: linear probe", 0.62, 0.70, probe(BEST))
    yield Gate(f"{best}: more than the best control without gradients", 0.03, 0.08, probe(BEST) - control)
    yield Gate(f"{best}: KMeans accuracy", 0.30, 0.40, found.mean(BEST, "groups/unseen_accuracy"))


def gates_of_gpu(found: Found) -> Iterator[Gate]:
    yield Gate("views: linear probe", 0.80, 0.88, found.mean("views", "linear_probe/accuracy"))


def spent(folder: Path, encoder: str, seeds: list[int]) -> list[str]:
    """Mean seconds of training, by the clock and of all CPUs; empty for what is not trained."""
    files = [LatentsFile(path).metadata for seed in seeds if (path := latents_of(folder, encoder, seed)).exists()]
    times = (
        [[float(file[f"training_{kind}seconds"]) for file in files] for kind in ("", "cpu_")]
        if (files and "training_seconds" in files[0])
        else []
    )
    return [f"{np.mean(values):.0f}" for values in times] or ["", ""]


def rank_of(folder: Path, encoder: str, seed: int) -> str:
    """The effective rank of latents, of how many there are; of 10,000 samples."""
    vectors = LatentsFile(latents_of(folder, encoder, seed)).vectors[:10_000]
    return f"{effective_rank(torch.from_numpy(vectors)):.0f} of {vectors.shape[1]}" if vectors.shape[1] < 1000 else ""


def latents_of(folder: Path, encoder: str, seed: int) -> Path:
    return folder / f"seed-{seed}" / re.sub(r"[^\w-]", "_", encoder) / "latents.parquet"


def curve_rows(curve: pd.DataFrame, table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    both = pd.concat([curve, table[table["encoder"] == BEST]], ignore_index=True)
    found, minutes = Found(both), both.groupby("encoder")["seconds"].first() / 60
    columns = ("linear_probe/accuracy", "few_labels/error_with_1000_labels")
    rows = [[one, f"{minutes[one]:.1f}", *(found.cell(one, column) for column in columns)] for one in found.encoders]
    return ["recipe", "minutes", "linear probe", "error, 1,000 labels (%)"], rows


def append(name: str, title: str, header: list[str], rows: list[list[str]]) -> None:
    """One more table below the first."""
    lines = ["", f"## {title}", ""] + [f"| {' | '.join(cells)} |" for cells in (header, ["---"] * len(header), *rows)]
    text = "\n".join(lines) + "\n"
    with (RESULTS / f"{name}.md").open("a") as file:
        file.write(text)
    print(text)
