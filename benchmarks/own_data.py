"""Data of one's own with few labels, from files to the closing table: is the headline true?

Three situations, each of at most two commands, which are printed as they are run: photos of which most lie in
`unsorted/`, a table of numbers, words and dates with gaps, and grey images of 12 bits. Most labels are kept from the
project; the accuracy on these rows stands beside what the run says of itself. One draw of known labels proves little,
so the last column draws them 200 times more, on the latents that are there: how often is the truth in the interval?
"""

import argparse
import csv
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from paired import write_table
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ae_pipelines.downstream import intervals

PROJECT = Path(__file__).parents[1]
PHOTOS, KNOWN = 1500, 0.1
"""Number of photos, and share of the labels that is given."""
DRAWS = 200
"""How often the rows whose labels are known are drawn again."""
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Story(NamedTuple):
    name: str
    params: list[str]
    """Of each command."""
    truth: dict[str, str]
    """The label of each sample, by its id."""
    hidden: set[str]
    """Ids of those whose label is kept from the project."""


def photos(folder: Path, raw: Path) -> Story:
    """CIFAR-10's first photos, a tenth in class folders and the others in `unsorted/`."""
    table = pq.read_table(raw / "cifar10" / "test.parquet").slice(0, PHOTOS)
    draw, truth, hidden = np.random.default_rng(0), {}, set()
    for row, (image, label) in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True)):
        name = f"{CLASSES[label] if draw.random() < KNOWN else 'unsorted'}/{row:04d}.png"
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_bytes(image["bytes"])
        truth[name] = CLASSES[label]
        hidden |= {name} if name.startswith("unsorted") else set()
    given = (
        f"source=image_folder,source.path={folder / 'in'},source.labels=folder,recipe=conv,recipe.training.steps=800"
    )
    return Story("photos, most of them in unsorted/", [given, f"{given},source.unlabelled=[unsorted]"], truth, hidden)


def mixed_table(folder: Path, raw: Path) -> Story:
    """Wisconsin's 569 cases with three columns as words and one as dates, 15 % of the cells empty."""
    cases, draw = load_breast_cancer(as_frame=True), np.random.default_rng(0)
    found = cases.data.copy()
    for place, words in enumerate((["low", "middle", "high"], ["S", "M", "L", "XL"], ["no", "yes"])):
        found[f"word {place}"] = pd.qcut(found.pop(cases.data.columns[place]), len(words), labels=words).astype(object)
    found["seen on"] = [str(date(2024, 1, 1) + timedelta(int(days))) for days in draw.integers(0, 700, len(found))]
    found = found.mask(draw.random(found.shape) < 0.15)
    labels, hidden = cases.target_names[cases.target], draw.random(len(found)) >= 2 * KNOWN
    found["diagnosis"] = np.where(hidden, "", labels)
    found.to_csv(folder / "cases.csv", index_label="case")
    truth = {str(row): str(label) for row, label in enumerate(labels)}
    kept = {str(row) for row in np.flatnonzero(hidden)}
    given = f"source=table,source.path={folder / 'cases.csv'},source.label=diagnosis,source.id=case"
    return Story(
        "a table with words, dates and gaps", [f"{given},recipe=dense,recipe.model.latent_size=8"], truth, kept
    )


def deep_grey(folder: Path, raw: Path) -> Story:
    """Scikit-learn's digits as TIFF files of 16 bits that use 12, with a label file for a tenth of them."""
    digits, draw = load_digits(), np.random.default_rng(0)
    truth = {f"{row:04d}.tif": str(label) for row, label in enumerate(digits.target)}
    hidden = set()
    (folder / "in").mkdir(parents=True, exist_ok=True)
    with (folder / "in" / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label"])
        for row, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            large = np.kron(image, np.ones((2, 2))) * (4000 / 16) + draw.normal(0, 30, (16, 16))
            Image.fromarray(np.clip(large, 0, 4095).astype(np.uint16)).save(folder / "in" / f"{row:04d}.tif")
            if draw.random() < KNOWN:
                rows.writerow([f"{row:04d}.tif", label])
            else:
                hidden.add(f"{row:04d}.tif")
    given = f"source=image_folder,source.path={folder / 'in'},source.labels=file,source.colour=grey"
    return Story("grey images of 12 bits", [given], truth, hidden)


STORIES: list[Callable[[Path, Path], Story]] = [photos, mixed_table, deep_grey]


def run(story: Story, folder: Path, number: int) -> list[str]:
    """Run a story's command and compare what it says with the labels it was not given."""
    data = folder / f"run {number}"
    params = f"{story.params[number]},data_dir={data}"
    command = ["kedro", "run", "--pipeline=train", f"--params={params}"]
    print(f"\n$ {shlex.join(command)}", flush=True)
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=PROJECT, env=environment, capture_output=True, text=True
    )
    told = [line for line in (done.stdout + done.stderr).splitlines() if "WARNING" in line or "labels:" in line]
    print("\n".join(told), flush=True)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:])
        return [f"{story.name} ({number + 1})", "failed", "", "", "", ""]
    metrics = json.loads((data / "08_reporting" / "classify_metrics.json").read_text())
    predictions = pd.read_parquet(data / "07_model_output" / "predictions.parquet").set_index("sample_id")["predicted"]
    hidden = pd.Series({name: label for name, label in story.truth.items() if name in story.hidden})
    true = (predictions.reindex(hidden.index) == hidden).mean()
    largest = hidden.value_counts(normalize=True).iloc[0]
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    return [
        f"{story.name} ({number + 1})",
        f"{metrics['accuracy']:.3f} ({int(metrics['test_rows'])} rows: {low:.2f} to {high:.2f})",
        f"{metrics['majority']:.3f}",
        f"{true:.3f} ({len(hidden):,} rows; majority {largest:.3f})",
        "yes" if low <= true <= high else "no",
        f"{coverage(data, story):.0%}",
    ]


def coverage(data: Path, story: Story) -> float:
    """How often the accuracy on hidden rows is within the headline's interval, over draws of the known rows."""
    table = pd.read_parquet(data / "07_model_output" / "latents.parquet", columns=["sample_id", "split", "latent"])
    vectors, test = np.stack(table["latent"].to_list()), (table["split"] == "test").to_numpy()
    labels, share = table["sample_id"].map(story.truth).to_numpy(str), 1 - len(story.hidden) / len(story.truth)
    within = []
    for seed in range(DRAWS):
        known = np.random.default_rng(seed).random(len(labels)) < share
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
        right = classifier.fit(vectors[known & ~test], labels[known & ~test]).predict(vectors) == labels
        low, high = intervals.proportion(right[known & test].mean(), (known & test).sum())
        within.append(low <= right[~known].mean() <= high)
    return float(np.mean(within))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "own_data")
    given = os.environ.get("AE_TEST_DATA")
    parser.add_argument("--raw", type=Path, default=Path(given) if given else PROJECT / "data" / "01_raw")
    options = parser.parse_args()
    table = []
    for story_of in STORIES:
        folder = options.folder.resolve() / story_of.__name__
        folder.mkdir(parents=True, exist_ok=True)
        story = story_of(folder, options.raw)
        table += [run(story, folder, number) for number in range(len(story.params))]
    header = [
        "data (command)",
        "headline: test accuracy",
        "majority",
        "accuracy on hidden labels",
        "within the interval",
        f"within it, of {DRAWS} draws",
    ]
    print()
    write_table("own_data", "Own data with few labels: the headline, and the truth", header, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
