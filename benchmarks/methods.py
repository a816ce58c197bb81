"""Every recipe on MNIST as users run it: scores, cost, and the picture of what it makes, for `docs/methods.md`.

Each recipe is one `kedro run`, trained on one thread; the one for colours takes `photos`. What has been run stays
in --folder and is not run again. New samples are judged by the encoder and classifier of the recipe `dense`.
"""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from kedro_runs import PROJECT, metrics, once, recipes_and_folder
from paired import write_table
from PIL import Image
from scipy.linalg import sqrtm

from ae_pipelines.io.skops_model import SkopsDataset
from ae_pipelines.training.trained import TrainedModel

PICTURES = PROJECT / "docs/images/methods"
RECIPES = [path.stem for path in (PROJECT / "conf/base/parameters/recipes").glob("*.yml")]
RESTORERS = ("denoise_photos", "enlarge_photos", "colour_photos", "unmark_photos", "fill_photos")
AUTOENCODERS_THAT_RESTORE = ("super_resolution", "colourise", "watermark_removal", "inpainting")
WITHOUT_EMBEDDING = ("gan", "dcgan", "cgan", *AUTOENCODERS_THAT_RESTORE, *RESTORERS)
COLOUR = ("colourise", *RESTORERS)
ALSO = {"one_class": ",recipe.loader.normal_labels=[3]"}
MADE = 10_000


def run(recipe: str, folder: Path, raw: Path) -> float:
    """Seconds that the run of one recipe took."""
    pipelines = "ingest,fit" if recipe in WITHOUT_EMBEDDING else "train"
    source = "" if recipe in COLOUR else "source=mnist,"
    return once(folder / recipe, pipelines, f"recipe={recipe},{source}raw_dir={raw}" + ALSO.get(recipe, ""))


def measured(data: Path) -> dict[str, float]:
    """All metrics of the run."""
    found: dict[str, float] = {}
    for path in sorted((data / "08_reporting").glob("*_metrics.json")):
        stage = path.stem.removesuffix("_metrics")
        found |= {f"{stage}/{name}": value for name, value in metrics(data, stage).items()}
    return found


def made_samples(folder: Path, recipe: str) -> dict[str, float]:
    """Fréchet distance of new samples to test ones in the latent space of `dense` (Heusel et al. 2017, with another
    encoder), and the share that looks like the requested class."""
    model = TrainedModel.load(folder / recipe / "06_models/autoencoder")
    encoder = TrainedModel.load(folder / "dense/06_models/encoder")
    random = np.random.default_rng(0)
    z = random.standard_normal((MADE, model.contract.latent_size), np.float32)
    labels = list(random.choice(model.contract.task.classes, MADE)) if model.module.conditional else None
    made = np.concatenate(
        [
            model.decode(z[start : start + 1000], labels and labels[start : start + 1000])
            for start in range(0, MADE, 1000)
        ]
    )
    vectors = encoder.encode(np.rint(made * 255).astype(np.uint8))
    found = {"frechet": frechet(vectors, real_latents(folder, "test"))}
    if labels is not None:
        classifier = SkopsDataset(filepath=str(folder / "dense/06_models/classifier.skops")).load()
        found["wished class"] = float((classifier.predict(vectors) == np.array(labels)).mean())
    return found


def real_latents(folder: Path, split: str) -> np.ndarray:
    """Latents of at most `MADE` samples, (n, d)."""
    table = pq.read_table(folder / "dense/07_model_output/latents.parquet", filters=[("split", "=", split)])
    column = table["latent"].combine_chunks()
    return column.flatten().to_numpy().reshape(len(table), -1)[:MADE]


def frechet(first: np.ndarray, second: np.ndarray) -> float:
    """Squared distance of normal distributions with the means and covariances of two sets of vectors (n, d)."""
    covariances = [np.cov(vectors, rowvar=False) for vectors in (first, second)]
    means = np.square(first.mean(0) - second.mean(0)).sum()
    return float(
        means + np.trace(covariances[0] + covariances[1] - 2 * np.real(sqrtm(covariances[0] @ covariances[1])))
    )


def scores(folder: Path, recipe: str) -> str:
    """The figures that matter for this recipe, in words."""
    found = measured(folder / recipe)
    if TrainedModel.load(folder / recipe / "06_models/autoencoder").module.generates:
        found |= made_samples(folder, recipe)
    shown = {
        "probe {:.3f}": "classify/accuracy",
        "5-NN {:.3f}": "classify/knn_accuracy",
        "KMeans {:.3f}": "cluster/accuracy",
        "mse {:.4f}": "embed/reconstruction_error",
        "NLL {:.1f}": "fit/nll",
        "mse {:.4f} of corrupted samples": "fit/corrupted_error",
        "{:.4f} restored": "fit/restored_error",
        "{:.1f} times lower": "fit/times_lower",
        "verification {:.3f}": "fit/verification_accuracy",
        "AUROC {:.4f}": "fit/verification_auroc",
        "unseen classes: AUROC {:.3f}": "fit/unseen_verification_auroc",
        "one-shot {:.3f}": "fit/one_shot_accuracy",
        "Fréchet {:.2f}": "frechet",
        "wished class {:.3f}": "wished class",
    }
    parts = [text.format(found[name]) for text, name in shown.items() if name in found]
    return ", ".join(parts) or ", ".join(f"{k.split('/')[-1]} {v:.4f}" for k, v in found.items() if "/test/" in k)


def main(recipes: list[str], folder: Path) -> None:
    raw = Path(os.environ["AE_TEST_DATA"]).resolve()
    PICTURES.mkdir(parents=True, exist_ok=True)
    rows = []
    for recipe in sorted(recipes, key=lambda name: (name != "dense", name)):
        seconds = run(recipe, folder, raw)
        picture = Image.open(folder / recipe / "08_reporting/examples.png").convert("RGB")
        small = picture if recipe in COLOUR else picture.quantize(64)  # a palette would change the colours
        small.save(PICTURES / f"{recipe}.png", optimize=True)
        rows.append([recipe, scores(folder, recipe), f"{seconds:.0f} s"])
        print(*rows[-1], flush=True)
    found = measured(folder / "dense")
    shown = {"probe {:.3f}": "classify/pca_accuracy", "5-NN {:.3f}": "classify/pca_knn_accuracy"}
    shown |= {"KMeans {:.3f}": "cluster/pca_accuracy", "mse {:.4f}": "embed/pca_reconstruction_error"}
    control = ", ".join(text.format(found[name]) for text, name in shown.items())
    rows.append(["PCA, 32 components", control, ""])
    rows.append(
        ["real train samples", f"Fréchet {frechet(*(real_latents(folder, s) for s in ('train', 'test'))):.2f}", ""]
    )
    write_table("methods", "Every recipe on MNIST (colourise: photos)", ["recipe", "score", "the whole run"], rows)


if __name__ == "__main__":
    main(*recipes_and_folder(__doc__, RECIPES))
