"""The table of `objectives.py`: rank correlations over recipes, with intervals."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from paired import write_table
from scipy.stats import rankdata

DRAWS = 1_000
"""Of recipes, with replacement, for the intervals (Efron 1979)."""
LEVEL = 95
LESS = ("reconstruction", "seconds", "latent_size")
"""Of which less is better."""
TRUTHS = {"probe": 1, "error100": -1}
NAMES = {"digits": "digits", "mnist": "MNIST", "cifar10": "CIFAR-10"}
TOGETHER: dict[str, tuple[str, ...]] = {
    "overlap + rankme, places": ("overlap", "rankme"),
    "grouping + rankme, places": ("grouping", "rankme"),
    "overlap + grouping + rankme, places": ("overlap", "grouping", "rankme"),
    "overlap + lidar, places": ("overlap", "lidar"),
}


def write(folder: Path, recipes: list[str]) -> None:
    """The table of all that was measured, for each data set of which every recipe is there."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*/*.json")) if path.name.count("-")]
    rows = pd.DataFrame([row for row in found if row["recipe"] in recipes])
    if rows.empty:
        print("nothing is measured yet")
        return
    complete = rows.groupby(["data", "seed"])["recipe"].transform("nunique") == len(recipes)
    boards = {name: rows[complete & (rows["data"] == name)] for name in NAMES if (rows["data"] == name).any()}
    boards = {name: added(board) for name, board in boards.items() if len(board)}
    if not boards:
        print(f"{len(rows)} of the recipes and seeds are measured; no data set has all recipes yet")
        return
    objectives = [name for name in next(iter(boards.values())).columns if name not in ("data", "recipe", "seed")]
    objectives = [name for name in objectives if name not in (*TRUTHS, "judging_seconds")]
    seeds = {name: board["seed"].nunique() for name, board in boards.items()}
    write_table(
        "objectives",
        f"Spearman correlation of objectives with the worth of latents, over {len(recipes)} recipes "
        f"({', '.join(f'{NAMES[name]}: {count} seeds' for name, count in seeds.items())}), {LEVEL} % intervals",
        [
            "objective",
            *(f"{NAMES[name]}: {truth}" for name in boards for truth in ("linear probe", "100 labels")),
            "mean",
            *(f"{NAMES[name]}: points lost" for name in boards),
        ],
        sorted((line(name, boards) for name in objectives), key=lambda cells: -float(cells[1 + 2 * len(boards)])),
    )


def added(board: pd.DataFrame) -> pd.DataFrame:
    """With what several objectives make together, among the recipes of each seed."""
    board = board.copy()
    by_seed = board.groupby("seed")
    places: Callable[[pd.Series], pd.Series] = lambda values: (values.rank() - 1) / (len(values) - 1)  # noqa: E731
    scores: Callable[[pd.Series], pd.Series] = lambda values: (values - values.mean()) / values.std()  # noqa: E731
    for name, parts in TOGETHER.items():
        board[name] = sum(by_seed[part].transform(places) for part in parts)
    logarithm = np.log(board["rankme"]).groupby(board["seed"])
    board["overlap + log rankme, standard scores"] = by_seed["overlap"].transform(scores) + logarithm.transform(scores)
    board["overlap_rankme"] = board["overlap"] * board["rankme"] ** 0.5
    board["overlap x log rankme"] = board["overlap"] * np.log(board["rankme"])
    board["overlap x rankme"] = board["overlap"] * board["rankme"]
    board["overlap x rankme / latent size"] = board["overlap"] * board["rankme"] / board["latent_size"]
    return board


def line(objective: str, boards: dict[str, pd.DataFrame]) -> list[str]:
    """A row of the table: correlations with their intervals, their mean, and what is lost by the winner."""
    cells, means = [], []
    for board in boards.values():
        for truth, sign in TRUTHS.items():
            scores, worth = (by_recipe(board, name) for name in (objective, truth))
            mine = scores * (-1 if objective in LESS else 1)
            value = correlation(mine, sign * worth)
            means.append(value)
            low, high = bounds(mine, sign * worth)
            cells.append(f"{value:.2f} [{low:.2f}, {high:.2f}]")
    lost = [points_lost(objective, board) for board in boards.values()]
    return [objective, *cells, f"{np.mean(means):.2f}", *(f"{points:.1f}" for points in lost)]


def by_recipe(board: pd.DataFrame, name: str) -> np.ndarray:
    """(recipes, seeds), NaN where a recipe has no such number."""
    return board.pivot(index="recipe", columns="seed", values=name).to_numpy(float)


def correlation(mine: np.ndarray, worth: np.ndarray) -> float:
    """Spearman's, over the recipes that have such a number, of each seed by itself; the mean over seeds."""
    found = []
    for one, other in zip(mine.T, worth.T, strict=True):
        known = np.isfinite(one)
        with np.errstate(invalid="ignore"):
            found.append(np.corrcoef(rankdata(one[known]), rankdata(other[known]))[0, 1])
    return float(np.nanmean(found))


def bounds(mine: np.ndarray, worth: np.ndarray) -> tuple[float, float]:
    """The ends of the interval, by drawing recipes; all seeds of a recipe go together."""
    random = np.random.default_rng(0)
    rows = (random.integers(len(mine), size=len(mine)) for _ in range(DRAWS))
    found = [correlation(mine[some], worth[some]) for some in rows]
    low, high = np.nanpercentile(found, [(100 - LEVEL) / 2, (100 + LEVEL) / 2])
    return float(low), float(high)


def points_lost(objective: str, board: pd.DataFrame) -> float:
    """How much higher the error with 100 labels (%) of the winner by this objective is than that of the best recipe;
    the mean over seeds."""
    mine = by_recipe(board, objective) * (-1 if objective in LESS else 1)
    errors = by_recipe(board, "error100")
    winners = np.nanargmax(mine, axis=0)
    return float((errors[winners, np.arange(errors.shape[1])] - errors.min(axis=0)).mean())
