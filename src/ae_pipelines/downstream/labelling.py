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
    rows = np.flatnonzero(latents.in_split("train") & ~latents.labelled)
    margins, best = _margins(classifier, latents.at(rows))
    candidates = np.argsort(margins, kind="stable")[: CANDIDATES * options.label_next]
    rows, margins, best = rows[candidates], margins[candidates], best[candidates]
    groups = _groups(latents.at(rows), options)
    chosen = _in_turn(groups)[: options.label_next]
    return pd.DataFrame(
        {
            "sample_id": latents.column("sample_id").iloc[rows[chosen]].to_numpy(object),
            "margin": margins[chosen],
            "predicted": classifier.classes[best[chosen]].astype(object),
            "group": groups[chosen],
        }
    ).astype({"sample_id": "str", "margin": "float32", "predicted": "str", "group": "int32"})


def _margins(classifier: Classifier, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each vector the lead of its best class over the second, and the number of the best."""
    margins, best = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
    for block in classifier.probabilities(vectors):
        first_two = np.partition(block, -2, axis=1)[:, -2:]
        margins.append(first_two[:, 1] - first_two[:, 0])
        best.append(block.argmax(axis=1))
    return np.concatenate(margins), np.concatenate(best)


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
