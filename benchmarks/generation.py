"""How good new samples are, on MNIST, for `docs/generate.md`.

Each recipe is one `kedro run`, trained on one thread; all are judged by the same classifier. What has been run stays
in --folder and is not run again.
"""

import os
import shutil
from pathlib import Path

from kedro_runs import metrics, once, recipes_and_folder
from paired import write_table

RECIPES = ("cvae", "cgan", "dcgan", "gan", "vae", "dense")
MEASURES = ("class_agreement", "smallest_class_share", "precision", "recall", "density", "coverage")
JUDGE = "06_models/judge.checkpoint"


def row(recipe: str, folder: Path) -> list[str]:
    """A row of the table."""
    judge = folder / recipe / JUDGE
    if (folder / "judge.checkpoint").exists() and not judge.exists():
        judge.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "judge.checkpoint", judge)
    raw = Path(os.environ["AE_TEST_DATA"]).resolve()
    seconds = once(
        folder / recipe,
        "ingest,fit,generate",
        f"recipe={recipe},source=mnist,raw_dir={raw},generate.judge.threads=1",
    )
    shutil.copy(judge, folder / "judge.checkpoint")
    return [recipe, *_cells(metrics(folder / recipe, "generate")), f"{seconds:.0f} s"]


def _cells(found: dict[str, float], prefix: str = "") -> list[str]:
    return [f"{found[prefix + name]:.3f}" if prefix + name in found else "" for name in MEASURES]


def main(recipes: list[str], folder: Path) -> None:
    rows = [row(recipe, folder) for recipe in recipes]
    found = metrics(folder / recipes[0], "generate")
    rows.append(["train samples", *_cells(found, "train_"), ""])
    title = f"New samples, MNIST; the judge is right about {found['judge_accuracy']:.2%} of the test samples"
    write_table("generation", title, ["recipe", *MEASURES, "the whole run"], rows)


if __name__ == "__main__":
    main(*recipes_and_folder(__doc__, RECIPES))
