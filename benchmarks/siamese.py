"""When does a siamese network pay? Verification and one-shot classification on MNIST, by several encoders.

The digits 7, 8 and 9 are kept out of every siamese training; the autoencoder sees them, without labels. With few
labels, all but some hundred labels of the train split are hidden. The wider margin is the median distance of the
autoencoder's latents.
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from paired import write_table

from ae_pipelines.models.siamese import one_shot, verification
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources.idx import IdxFolder
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

NET, LATENT_SIZE, UNSEEN = {"kind": "conv", "channels": [32, 64]}, 16, 3
FEW = 300
NOISE = [{"kind": "gaussian_noise", "noise_level": 0.3}, {"kind": "masking", "share": 0.2}]
TRAINING = {"learning_rate": 1e-3, "schedule": "one_cycle", "threads": 1}
TRAINING |= {"validation_share": 0}  # of few labels there are too few to judge by: the last weights are kept


class FewLabels:
    """MNIST with labels on only some of the train samples."""

    name = "mnist"

    def __init__(self, source: IdxFolder, labelled: int) -> None:
        self._source, self._labelled = source, labelled
        self.spec, self.count = source.spec, source.count

    def blocks(self) -> Iterator[Block]:
        for block in self._source.blocks():
            labels = list(block.labels)
            for row, split in enumerate(block.splits):
                if split == "train":
                    self._labelled -= 1
                    labels[row] = labels[row] if self._labelled >= 0 else None
            yield replace(block, labels=labels)


def recipe(model: dict, start: Path | None = None, corruptions: list = NOISE, steps: int = 1000) -> Recipe:
    return Recipe.model_validate(
        {
            "model": {"net": NET, "latent_size": LATENT_SIZE} | model,
            "loader": {"batch_size": 128, "corruptions": corruptions},
            "training": TRAINING | {"steps": steps, "initial_encoder": start and str(start)},
        }
    )


def row(name: str, vectors: np.ndarray, labels: np.ndarray) -> list[str]:
    seen = labels < 10 - UNSEEN
    old, new = verification(vectors[seen], labels[seen]), verification(vectors[~seen], labels[~seen])
    shot = one_shot(vectors[~seen], labels[~seen])["one_shot_accuracy"]
    cells = [
        f"{old['verification_accuracy']:.3f}",
        f"{old['verification_auroc']:.4f}",
        f"{new['verification_auroc']:.3f}",
        f"{shot:.3f}",
    ]
    print(name, *cells, flush=True)
    return [name, *cells]


def main() -> None:
    mnist = IdxFolder(path=Path(os.environ["AE_TEST_DATA"]) / "mnist", name="mnist")
    labelled = {"kind": "siamese", "unseen_classes": UNSEEN}
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        everything, few = write_store(folder / "all", mnist), write_store(folder / "few", FewLabels(mnist, FEW))
        test = everything.positions("test")
        values, labels = everything.take(test), everything.label_numbers(everything.classes())[test]

        def trial(name: str, samples: Samples, recipe: Recipe) -> TrainedModel:
            trained, _ = train(samples, recipe)
            rows.append(row(name, trained.encode(values), labels))
            return trained

        pixels = everything.take(everything.positions("train")).reshape(60_000, -1) / 255.0
        centre = pixels.mean(0)
        _, directions = np.linalg.eigh(np.cov(pixels, rowvar=False))
        rows.append(row("pixels", values.reshape(len(values), -1) / 255.0, labels))
        principal = (values.reshape(len(values), -1) / 255.0 - centre) @ directions[:, -LATENT_SIZE:]
        rows.append(row(f"PCA, {LATENT_SIZE}", principal, labels))
        autoencoder = trial("autoencoder", everything, recipe({"kind": "autoencoder"}))
        autoencoder.save(folder / "autoencoder")
        some = autoencoder.encode(values[:500])
        wide = {"margin": float(np.median(np.linalg.norm(some[:, None] - some, axis=-1)))}
        trial("siamese, two views, no labels", everything, recipe({"kind": "siamese", "pairs": "views"}))
        for loss in ("contrastive", "triplet"):
            trial(f"siamese, all labels, {loss}", everything, recipe(labelled | {"loss": loss}, corruptions=[]))
        trial(f"siamese, {FEW} labels, margin 1", few, recipe(labelled, corruptions=[]))
        start = folder / "autoencoder"
        trial(f"siamese, {FEW} labels, margin 1, from the autoencoder", few, recipe(labelled, start, corruptions=[]))
        at = f"margin {wide['margin']:.0f}"
        trial(f"siamese, {FEW} labels, {at}", few, recipe(labelled | wide, corruptions=[]))
        trial(f"siamese, {FEW} labels, {at}, from the autoencoder", few, recipe(labelled | wide, start, corruptions=[]))
    header = [
        *("encoder, d = 16", "verification, digits 0–6", "AUROC, digits 0–6"),
        *("AUROC, digits 7–9 (unseen)", "one-shot of three, digits 7–9"),
    ]
    write_table("siamese", "Alike or not, and one-shot classification, MNIST test split", header, rows)


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    main()
