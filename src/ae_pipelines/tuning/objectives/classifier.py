"""A classifier on the latents."""

import numpy as np

from ae_pipelines.base.errors import TooFewLabels
from ae_pipelines.downstream.classification import numbered
from ae_pipelines.downstream.classifiers.logistic_regression import LogisticRegression
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.tuning.objectives import FEWEST_OF_A_CLASS, LABELS, OBJECTIVES, Judged, Objective, labels_of

MOST = 2_000
"""Labelled samples that are looked at: those that judge first."""
FITTED = 1_000
"""Samples that are held out in all, over repeated cross-validations of few labels."""
FOLDS = 5


@OBJECTIVES.register("classifier")
class Classifier(Objective):
    """Accuracy of logistic regression on the latents of labelled samples, cross-validated: each is held out in turn.

    At most 2,000 samples: first those that judge, then those that models learned from, which an encoder without labels
    treats alike. Of a method that learns from labels only those that judge count. The regularisation is chosen once, by
    all of them. Misleading where latents are not for classes like these, and by chance where labels are few: of 100
    labels each is a point, and differences of three points mean nothing.
    """

    name = "classifier"
    higher_is_better = True
    title = "cross-validated accuracy of a linear classifier on the latents"
    misleads = "says nothing of what labels do not name, and with 100 labels a difference of 3 points is chance"

    def measures(self, judged: Judged) -> dict[str, float]:
        latents = judged.latents
        rows = labelled_rows(latents)
        right = held_out_right(latents.at(rows), latents.labels[rows], judged.seed)
        counted = latents.in_split("test")[rows] if judged.trained.module.wants_labels else np.full(len(rows), True)
        return {self.name: float(right[counted].mean())}

    def check_samples(self, samples: Samples) -> None:
        found = labels_of(samples)
        if found < LABELS:
            raise TooFewLabels(
                f"tune.objective=classifier needs {LABELS} labelled samples of the train split, in classes of "
                f"{FEWEST_OF_A_CLASS} or more; there are {found}: give labels, or tune.objective=overlap_rankme, which "
                "needs none",
                options={"tune.objective": "overlap_rankme"},
            )


def labelled_rows(latents: Latents) -> np.ndarray:
    """Rows (positions, ascending) of classes that every fold can have: at most `MOST`, those that judge first."""
    sizes = latents.labels.counts()
    usable = latents.labels.isin(sizes.index[sizes >= FEWEST_OF_A_CLASS])
    judging = latents.in_split("test")
    rows = np.append(np.flatnonzero(usable & judging), np.flatnonzero(usable & ~judging))[:MOST]
    _, classes, counts = np.unique(latents.labels[rows], return_inverse=True, return_counts=True)
    return np.sort(rows[counts[classes] >= FEWEST_OF_A_CLASS])


def held_out_right(vectors: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """For each of these vectors (n, d) the share of the cross-validations in which its class is found by those that
    were not held out with it."""
    from sklearn.model_selection import StratifiedKFold

    classes = numbered(labels)[1]
    everything = np.arange(len(classes))
    ready = LogisticRegression().prepare(vectors, seed).tuned(everything, classes)
    repeats = max(1, FITTED // len(classes))
    right = np.zeros(len(classes))
    for repeat in range(repeats):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        for learned, held_out in folds.split(vectors, classes):
            fitted = ready.fit(learned, classes[learned])
            found = fitted.probabilities(ready.places.of(vectors[held_out])).argmax(axis=1)
            right[held_out] += found == classes[held_out]
    return right / repeats
