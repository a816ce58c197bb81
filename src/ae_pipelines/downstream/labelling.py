"""Which samples to label next."""

import numpy as np
import pandas as pd

from ae_pipelines.downstream.classification import Classifier, ClassifyOptions
from ae_pipelines.latents.file import Latents

CANDIDATES = 10
"""How many times as many rows as wanted are considered, the least certain ones."""


def to_label(classifier: Classifier, latents: Latents, options: ClassifyOptions) -> pd.DataFrame:
    """Unlabelled rows of the train split of which the classifier is least certain, spread over groups: `sample_id`,
    `margin` between its best two probabilities, `predicted` class, `group`. Empty where all rows have a label.

    The least certain rows are grouped by KMeans into as many groups as rows are wanted, and the least certain of each
    is taken (Zhdanov 2019, without the weights): similar rows would teach the same.
    """
    classifier.encoded_by.refuse_other(latents, "classifier", "classify")
    unlabelled = np.flatnonzero(latents.in_split("train") & ~latents.labelled)
    rows, margins, best = _least_certain(classifier, latents, unlabelled, CANDIDATES * options.label_next)
    groups = _groups(latents.at(rows), options)
    chosen = _in_turn(groups)[: options.label_next]
    return pd.DataFrame(
        {
            "sample_id": latents.take(rows[chosen])["sample_id"].to_numpy(object),
            "margin": margins[chosen],
            "predicted": classifier.classes[best[chosen]].astype(object),
            "group": groups[chosen],
        }
    ).astype({"sample_id": "str", "margin": "float32", "predicted": "str", "group": "int32"})


def _least_certain(
    classifier: Classifier, latents: Latents, rows: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Those of the rows of which the classifier is least certain, the least first, at most so many: their positions,
    the lead of the best class over the second, and the number of the best."""
    known, margins, best = np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64)
    for part, vectors in latents.blocks(rows):
        probabilities = np.concatenate(list(classifier.probabilities(vectors)))
        first_two = np.partition(probabilities, -2, axis=1)[:, -2:]
        known, best = np.append(known, part), np.append(best, probabilities.argmax(axis=1))
        margins = np.append(margins, first_two[:, 1] - first_two[:, 0])
        order = np.argsort(margins, kind="stable")[:most]
        known, margins, best = known[order], margins[order], best[order]
    return known, margins, best


def _groups(vectors: np.ndarray, options: ClassifyOptions) -> np.ndarray:
    from sklearn.cluster import KMeans

    count = min(options.label_next, len(np.unique(vectors, axis=0)))
    if count < 2:
        return np.zeros(len(vectors), np.int32)
    return KMeans(count, n_init=1, random_state=options.seed).fit_predict(vectors)


def _in_turn(groups: np.ndarray) -> np.ndarray:
    """Positions in turn: the first of each group, then the second of each, and so on."""
    turn = pd.Series(groups).groupby(groups).cumcount().to_numpy()
    return np.argsort(turn, kind="stable")
