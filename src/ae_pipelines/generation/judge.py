"""A classifier that judges new samples, trained here on labels alone."""

import logging
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

import ae_pipelines
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import first_of
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.comparison import supervised
from ae_pipelines.comparison.supervised import Supervised, SupervisedClassifier
from ae_pipelines.generation.generator import CannotShow, Generator
from ae_pipelines.generation.options import GenerateOptions
from ae_pipelines.generation.quality import quality
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.checkpoints import CheckpointFile

log = logging.getLogger(__name__)

LEAST_JUDGED = 10
"""Test samples that are needed; fewer have no neighbourhoods."""


@dataclass(frozen=True)
class Judge:
    """A trained classifier that says which class a sample looks like."""

    classifier: Supervised
    classes: tuple[str, ...]

    def accuracy(self) -> float:
        """Its accuracy on labelled test samples."""
        rows = self.classifier.samples.positions("test")
        return 1 - self.classifier.error(rows[self.classifier.numbers[rows] >= 0])

    def looks(self, made: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For samples (n, *shape) as a model gets them: their embeddings, (n, embedding), and the numbers of the
        classes that they look like, (n,)."""
        with torch.inference_mode():
            embedding = self.classifier.module.encode(torch.from_numpy(made))
            return embedding.numpy(), self.classifier.module.head(embedding).argmax(1).numpy()


def judge(samples: Samples, options: GenerateOptions, kept: CheckpointFile, run: Run = NO_RUN) -> Judge:
    """A judge trained on the labelled train samples, or the one `kept` for the same ones. `CannotShow` without labels
    of two classes in both splits."""
    classes = samples.classes()
    numbers = samples.label_numbers(classes)
    rows, test = samples.positions("train"), samples.positions("test")
    if len(classes) < 2 or (numbers[test] >= 0).sum() < LEAST_JUDGED:
        raise CannotShow(
            f"quality needs labels of at least two classes and {LEAST_JUDGED} test samples, but there are "
            f"{len(classes)} classes and {int((numbers[test] >= 0).sum())} labelled test samples"
        )

    def trained() -> dict[str, Tensor]:
        labelled = rows[numbers[rows] >= 0]
        return supervised.train(samples, numbers, labelled, options.judge, options.judge.seed, run).module.state_dict()

    described = options.judge.model_dump(mode="json", exclude={"draws", "device", "threads"})
    key = canonical_sha256([samples.id, described, ae_pipelines.__version__])
    with torch.random.fork_rng():
        module = SupervisedClassifier(samples.spec.shape, len(classes), options.judge, "judge")
    module.load_state_dict(kept.made_once(key, trained))
    return Judge(Supervised(module.eval(), samples, numbers), classes)


def judged(generator: Generator, judge: Judge) -> dict[str, float]:
    """`quality` of new samples against test ones, beside that of train samples (`train_...`), which is what real ones
    score; `judge_accuracy`; `smallest_class_share`: share of the rarest class among the new samples, by the judge; for
    a conditional method `class_agreement`: the share that looks like the requested class. If only some classes were
    requested, these measures are about them. `CannotShow` if hardly any test samples are of them."""
    random = generator.random()
    if unknown := [name for name in generator.classes if name not in judge.classes]:
        raise CannotShow(f"quality needs samples of the classes that are made, but none is called {first_of(unknown)}")
    requested = [judge.classes.index(name) for name in generator.classes or judge.classes]
    train, test = (random.permutation(_rows(generator, judge, requested, split)) for split in ("train", "test"))
    count = min(generator.options.judged, len(train), len(test))
    if count < LEAST_JUDGED:
        raise CannotShow(
            f"quality needs {LEAST_JUDGED} train and test samples, but of the classes {', '.join(generator.classes)} "
            f"there are {len(train)} and {len(test)}"
        )
    made, numbers, classes = _new_samples(generator, judge)
    real, ceiling = (judge.classifier.embedding(np.sort(rows[:count])) for rows in (test, train))
    shares = np.bincount(numbers, minlength=len(judge.classes)) / len(numbers)
    found = {"judge_accuracy": judge.accuracy(), **quality(made[:count], real)}
    found |= {f"train_{name}": value for name, value in quality(ceiling, real).items()}
    found["smallest_class_share"] = float(shares[requested].min())
    if generator.classes:
        found["class_agreement"] = float((np.array(judge.classes)[numbers] == np.array(classes)).mean())
    listed = first_of([f"{name} {share:.1%}" for name, share in zip(judge.classes, shares, strict=True)])
    log.info("%s new samples look like: %s", f"{len(made):,}", listed)
    return found


def _rows(generator: Generator, judge: Judge, classes: list[int], split: str) -> np.ndarray:
    """Positions of this split's samples of these classes; all samples if these are all classes."""
    rows = generator.samples.positions(split)
    return rows if len(classes) == len(judge.classes) else rows[np.isin(judge.classifier.numbers[rows], classes)]


def _new_samples(generator: Generator, judge: Judge) -> tuple[np.ndarray, np.ndarray, list[str | None]]:
    """For `judged` new samples, made a few at a time: their embeddings, (n, embedding), the numbers of the classes that
    they look like, (n,), and the requested classes."""
    z, classes = generator.draw(generator.options.judged)
    as_input = generator.samples.spec.as_input
    looks = [judge.looks(as_input(made)) for made in generator.made(z, classes)]
    embeddings, numbers = zip(*looks, strict=True)
    return np.concatenate(embeddings), np.concatenate(numbers), classes
