"""What models that restore gain on CIFAR-10, for `docs/restore.md`.

Each recipe is one `kedro run`, trained on the first 20,000 train images of `$AE_TEST_DATA/cifar10` on one thread, in
bfloat16, and measured on 2,000 test images beside what needs no training. What has been run stays in --folder and is
not run again.
"""

import os
import shutil
from pathlib import Path

import pyarrow.parquet as pq
from kedro_runs import metrics, once, recipes_and_folder
from paired import write_table

RECIPES = ("denoise_photos", "enlarge_photos", "colour_photos", "unmark_photos", "fill_photos")
ERRORS = {"chroma_error": "squared error of the colour channels", "inside_error": "inside", "outside_error": "outside"}
IMAGES = {"train": 20_000, "test": 2000}


def cifar10(folder: Path) -> Path:
    """A folder with some of its train images, and all test ones."""
    raw, some = Path(os.environ["AE_TEST_DATA"]) / "cifar10", folder / "cifar"
    if not (some / "test.parquet").exists():
        some.mkdir(parents=True, exist_ok=True)
        pq.write_table(pq.read_table(raw / "train.parquet").slice(0, IMAGES["train"]), some / "train.parquet")
        shutil.copy(raw / "test.parquet", some)
    return some


def row(recipe: str, folder: Path) -> list[str]:
    """A row of the table: what was restored, each control, and the errors that matter for some."""
    seconds = once(
        folder / recipe,
        "ingest,fit,restore",
        f"recipe={recipe},source=image_parquet,source.path={cifar10(folder)},recipe.training.precision=bfloat16,"
        f"restore.limit={IMAGES['test']}",
    )
    found = metrics(folder / recipe, "restore")
    prefixes = [name.removesuffix("psnr") for name in found if name.endswith("psnr") and "chroma" not in name]
    restored, *controls = (_cell(found, prefix) for prefix in sorted(prefixes, key=len))
    return [recipe, restored, "; ".join(controls), f"{seconds:.0f} s"]


def _cell(found: dict[str, float], prefix: str) -> str:
    text = f"{prefix.strip('_').replace('_', ' ')} {found[prefix + 'psnr']:.2f} dB ({found[prefix + 'ssim']:.3f})"
    errors = [f"{what} {found[prefix + name]:.2g}" for name, what in ERRORS.items() if prefix + name in found]
    return ", ".join([text.strip(), *errors])


def main(recipes: list[str], folder: Path) -> None:
    rows = [row(recipe, folder) for recipe in recipes]
    header = ["recipe", "restored: PSNR (SSIM)", "without training", "the whole run"]
    write_table("restoration", "Images restored, CIFAR-10", header, rows)


if __name__ == "__main__":
    main(*recipes_and_folder(__doc__, RECIPES))
