"""The siamese network."""

from typing import Annotated, Literal, cast

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.conditions import refuse_without_labels
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Method, of_vectors
from ae_pipelines.models.nets import NetChoice
from ae_pipelines.models.two_views import view_auroc

PAIRS = 10_000
"""Pairs of each kind (alike, different) on which verification is measured."""
EPISODES = 1_000
"""Episodes of one-shot classification."""


@MODELS.register("siamese")
class Siamese(Method):
    """Two towers that share one encoder, which places alike samples near each other and different ones apart.

    Samples of one label are alike, or, without labels, two corruptions of one sample. Both towers get the same
    batch, and the pairs are those within it. There is no decoder.
    """

    def __init__(
        self,
        task: Task,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        latent_size: Annotated[int, Field(gt=0)] = 32,
        pairs: Literal["labels", "views"] = "labels",
        loss: Literal["contrastive", "triplet"] = "contrastive",
        margin: Annotated[float, Field(gt=0)] = 1.0,
        unseen_classes: Annotated[int, Field(ge=0)] = 0,
    ) -> None:
        """`margin`: the distance from which different samples are far enough apart (contrastive), or the least
        difference of the two distances (triplet). `unseen_classes`: how many classes, the last in sorted order,
        are left out of training, to measure one-shot classification on them."""
        super().__init__()
        if pairs == "labels":
            refuse_without_labels(task, "siamese with model.pairs=labels")
        if unseen_classes and (pairs == "views" or len(task.classes) - unseen_classes < 2):
            raise InputError(
                f"siamese cannot leave {unseen_classes} classes unseen: it needs model.pairs=labels (given {pairs!r}) "
                f"and two other classes to learn from (there are {len(task.classes)} in all)"
            )
        self.wants_labels, self.wants_second_view = pairs == "labels", pairs == "views"
        self.latent_size = latent_size
        self.encoder = of_vectors(net, "siamese").encoder(task.input_shape, latent_size)
        self._loss = {"contrastive": contrastive_loss, "triplet": triplet_loss}[loss]
        self._margin = margin
        self.same_each_step = loss != "triplet"  # how many anchors there are depends on the batch
        self._unseen = unseen_classes
        self._seen = len(task.classes) - unseen_classes if pairs == "labels" else 0

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def phases(self) -> list[Phase]:
        return [Phase("fit", [Player("siamese", list(self.parameters()), self._terms)])]

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        if batch.second is not None and self.wants_second_view:
            z = self.encoder(torch.cat([batch.input, batch.second]))
            alike = torch.arange(len(batch.input), device=z.device).repeat(2)
        else:
            x, alike = batch.input, cast(Tensor, batch.label)
            known = self.learns_from(alike)
            if self.training and self.same_each_step:
                alike = alike.masked_fill(~known, -1)
            else:
                x, alike = x[known], alike[known]
            z = self.encoder(x)
        return {self._loss.__name__.removesuffix("_loss"): self._loss(z, alike, self._margin)}

    def learns_from(self, labels: Tensor) -> Tensor:
        return (labels >= 0) & (labels < self._seen) if self.wants_labels else super().learns_from(labels)

    def measures(self, test: Loader) -> dict[str, float]:
        """Verification (are two samples alike?) and one-shot classification of labelled samples, and whether two views
        of one sample are nearer than views of two. Samples are clean, unless corruptions change their shape."""
        views = view_auroc(self, test) if self.wants_second_view else {}
        vectors, labels = _embedded(self, test)
        old = labels < self._seen if self._seen else np.full(len(labels), True)
        found = verification(vectors[old], labels[old])
        if self._unseen:
            new = {f"unseen_{name}": value for name, value in verification(vectors[~old], labels[~old]).items()}
            found |= new | one_shot(vectors[~old], labels[~old])
        return views | found


def contrastive_loss(z: Tensor, alike: Tensor, margin: float) -> Tensor:
    """½ D² of alike pairs, ½ max(0, margin - D)² of different ones (Hadsell et al. 2006, eq. 4).

    z (n, d); `alike` (n,): equal numbers for alike samples. D is the Euclidean distance. The mean over alike
    pairs and the mean over different ones are averaged, where the paper sums over all pairs: in a batch of ten
    classes, nine of ten pairs are different.
    """
    distance = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
    same, different = _pairs(alike)
    near = _mean(distance.square(), same)
    far = _mean((margin - distance).clamp_min(0).square(), different)
    return 0.25 * (near + far)


def triplet_loss(z: Tensor, alike: Tensor, margin: float) -> Tensor:
    """max(0, D(anchor, positive) - D(anchor, negative) + margin), averaged over anchors (Schroff et al. 2015).

    Every sample of the batch that has both is an anchor, with one alike and one different sample drawn at random.
    """
    same, different = _pairs(alike, ordered=False)
    anchors = (same.any(1) & different.any(1)).nonzero()[:, 0]
    if not len(anchors):
        return z.sum() * 0.0
    positive, negative = (torch.multinomial(mask[anchors].float(), 1)[:, 0] for mask in (same, different))
    return F.triplet_margin_loss(z[anchors], z[positive], z[negative], margin)


def _pairs(alike: Tensor, ordered: bool = True) -> tuple[Tensor, Tensor]:
    """Masks (n, n) of alike and of different pairs, without those whose number is negative; if ordered, each pair
    once."""
    same, known = alike[:, None] == alike[None, :], alike >= 0
    pairs = known[:, None] & known[None, :]
    pairs = pairs.triu(1) if ordered else pairs.fill_diagonal_(False)
    return same & pairs, ~same & pairs


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values; zero if there are none."""
    return (values * chosen).sum() / chosen.sum().clamp_min(1)


def _embedded(model: Siamese, test: Loader) -> tuple[np.ndarray, np.ndarray]:
    """Latents (n, d) and class numbers (n,) of the samples that have a label."""
    vectors, labels = [], []
    for batch in test.epoch(0):
        known = torch.zeros(len(batch.rows), dtype=torch.bool) if batch.label is None else batch.label >= 0
        if known.any():
            x = batch.target if batch.target.shape == batch.input.shape else batch.input
            vectors.append(model.encode(x[known]).cpu().numpy())
            labels.append(batch.label[known].cpu().numpy())  # type: ignore[index]
    return (np.concatenate(vectors), np.concatenate(labels)) if vectors else (np.empty((0, 1)), np.empty(0, np.int64))


def verification(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, float]:
    """How well distance tells alike pairs from different ones: `verification_auroc`, and `verification_accuracy`
    on as many pairs of both kinds. Its threshold is chosen on pairs from one half of the samples, and the
    accuracy measured on pairs from the other. Empty where there are fewer than two classes."""
    from sklearn.metrics import roc_auc_score, roc_curve

    draw = np.random.default_rng(seed)
    halves = np.array_split(draw.permutation(len(labels)), 2)
    found = [_drawn_pairs(vectors[half], labels[half], draw) for half in halves]
    if not all(len(np.unique(alike)) == 2 for _, alike in found):
        return {}
    (distance, alike), (held_out_distance, held_out_alike) = found
    false_alarms, hits, thresholds = roc_curve(alike, -distance)
    threshold = thresholds[np.argmax(hits - false_alarms)]
    return {
        "verification_accuracy": float(((-held_out_distance >= threshold) == held_out_alike).mean()),
        "verification_auroc": float(roc_auc_score(held_out_alike, -held_out_distance)),
    }


def _drawn_pairs(vectors: np.ndarray, labels: np.ndarray, draw: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Distances of random pairs of different samples, as many alike as different, and whether they are alike."""
    if len(labels) < 2:
        return np.empty(0), np.empty(0, bool)
    first, second = draw.integers(0, len(labels), (2, 40 * PAIRS))
    first, second = first[first != second], second[first != second]
    alike = labels[first] == labels[second]
    most = min(PAIRS, int(alike.sum()), int((~alike).sum()))
    chosen = np.concatenate([np.flatnonzero(alike)[:most], np.flatnonzero(~alike)[:most]])
    distances = np.linalg.norm(vectors[first[chosen]] - vectors[second[chosen]], axis=1)
    return distances, alike[chosen]


def one_shot(vectors: np.ndarray, labels: np.ndarray, seed: int = 0) -> dict[str, float]:
    """`one_shot_accuracy`: a sample gets the class of the nearest of one example per class; mean over episodes of
    random examples, each with one other sample of each class (Koch et al. 2015). `one_shot_ways`: how many classes."""
    draw = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    members = [rows for rows in members if len(rows) >= 2]
    if len(members) < 2:
        return {}
    chosen = np.array([[draw.choice(rows, 2, replace=False) for rows in members] for _ in range(EPISODES)])
    examples, queries = vectors[chosen[..., 0]], vectors[chosen[..., 1]]  # (episodes, classes, d)
    distances = np.linalg.norm(queries[:, :, None] - examples[:, None], axis=-1)  # (episodes, query, example)
    correct = distances.argmin(axis=2) == np.arange(len(members))
    return {"one_shot_accuracy": float(correct.mean()), "one_shot_ways": float(len(members))}
