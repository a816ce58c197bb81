"""What metrics mean, in words for people who do not know their names, and how their numbers are written."""

import re
from dataclasses import dataclass
from typing import Literal
from unicodedata import bidirectional

from ae_pipelines.report.shown.scales import shown

Form = Literal["share", "percent", "number", "count", "yes"]
"""share: 0 to 1, written as %; percent: is in % already."""
TURNING = {"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"}
"""Classes of characters that may turn the direction of what follows."""
Better = Literal["higher", "lower", ""]
STAGES = {
    "ingest": "Ingest",
    "fit": "Training",
    "embed": "Reconstruction",
    "cluster": "Groups",
    "classify": "Classifier",
    "detect": "Odd samples",
    "search": "Neighbours",
    "export": "ONNX files beside the models",
}
"""What the metrics of each stage are about, in the order in which stages run."""


@dataclass(frozen=True)
class Metric:
    """What a metric means."""

    words: str
    form: Form = "number"
    better: Better = ""
    counted: str = ""
    """The metric that says on how many rows it rests."""


METRICS: dict[str, dict[str, Metric]] = {
    "fit": {
        "latent_effective_rank": Metric("directions that latents use (effective rank)", "number", ""),
        "latent_variance": Metric("mean variance of a latent", "number", ""),
        "corrupted_error": Metric("difference of corrupted samples from clean ones (mean squared)", "number", ""),
        "restored_error": Metric("difference of restored samples from clean ones (mean squared)", "number", "lower"),
        "times_lower": Metric("how many times less is wrong after restoring", "number", "higher"),
        "nll": Metric("negative log likelihood of a test sample (nats)", "number", "lower"),
        "nll_given_label": Metric("negative log likelihood of a test sample given its label (nats)", "number", "lower"),
    },
    "embed": {
        "reconstruction_error": Metric("reconstruction error (mean squared, test split)", "number", "lower"),
        "blurred_error": Metric("reconstruction error over an area, as a share of the image", "number", "lower"),
        "rows": Metric("samples with a latent", "count"),
        "latent_size": Metric("numbers in a latent", "count"),
    },
    "cluster": {
        "clusters": Metric("groups", "count"),
        "silhouette": Metric("separation of groups (silhouette, -1 to 1)", "number", "higher"),
        "accuracy": Metric("labelled samples in the group that fits their class", "share", "higher", "labelled_rows"),
        "unseen_accuracy": Metric("the same for test samples, which were not grouped", "share", "higher"),
        "nmi": Metric("what groups say about classes (NMI, 0 to 1)", "number", "higher", "labelled_rows"),
        "ari": Metric(
            "agreement of groups and classes beyond chance (ARI, 1 at most)", "number", "higher", "labelled_rows"
        ),
        "inertia": Metric("squared distances to the centres, summed"),
        "bic": Metric("Bayesian information criterion", "number", "lower"),
        "majority": Metric("always the commonest class would be right for", "share"),
        "labelled_rows": Metric("labelled samples that groups are judged by", "count"),
    },
    "classify": {
        "accuracy": Metric("test samples whose class is right", "share", "higher", "test_rows"),
        "knn_accuracy": Metric("the same by a vote of the nearest samples", "share", "higher", "test_rows"),
        "log_loss": Metric("surprise at the true class (log loss, nats)", "number", "lower", "test_rows"),
        "expected_calibration_error": Metric("how far confidence is from being right", "share", "lower", "test_rows"),
        "majority": Metric("always the commonest class would be right for", "share"),
        "train_rows": Metric("labels that it learned from", "count"),
        "test_rows": Metric("test samples that it is judged by", "count"),
        "test_rows_of_unseen_classes": Metric("test samples of classes it never saw, not counted", "count"),
        "transductive": Metric("looked at test samples without their labels", "yes"),
        "calibrated": Metric("probabilities were calibrated", "yes"),
        "classes_never_recognised": Metric("classes never recognised", "count", "lower"),
    },
    "detect": {
        "auroc": Metric(
            "odd samples told from normal ones (AUROC, 0.5 is chance)", "number", "higher", "anomalous_rows"
        ),
        "average_precision": Metric(
            "odd samples among the highest scores (average precision)", "number", "higher", "anomalous_rows"
        ),
        "recall": Metric("odd samples above the threshold", "share", "higher", "anomalous_rows"),
        "recall_at_one_per_thousand": Metric(
            "odd samples found at one false alarm in 1,000", "share", "higher", "anomalous_rows"
        ),
        "pixel_auroc": Metric("wrong pixels told from right ones (AUROC)", "number", "higher", "masked_images"),
        "threshold": Metric("score above which a sample is odd"),
        "calibration_rows": Metric("samples that the threshold rests on", "count"),
        "alarms_per_thousand": Metric("alarms in 1,000 normal samples that were asked for"),
        "measured_alarms_per_thousand": Metric("alarms in 1,000 normal test samples", "number", "", "normal_rows"),
        "anomalies": Metric("samples above the threshold", "count"),
        "normal_rows": Metric("normal test samples", "count"),
        "anomalous_rows": Metric("test samples known to be odd", "count"),
        "masked_images": Metric("images with known wrong pixels", "count"),
    },
    "search": {
        "same_class": Metric("neighbours of the same class (test split)", "share", "higher", "test_rows"),
        "recall": Metric("true neighbours that the fast search finds", "share", "higher"),
        "test_rows": Metric("test samples that were looked up", "count"),
    },
    "export": {"files": Metric("ONNX files", "count")},
}
"""By stage, then by the name that the run gives it."""

PATTERNS: tuple[tuple[str, Metric], ...] = (
    (
        r"error_with_(\d+)_labels",
        Metric("test samples that are wrong from {0} labels", "percent", "lower", "test_rows"),
    ),
    (r"auroc_(\w+)", Metric("odd samples told from normal ones by {0} (AUROC)", "number", "higher", "anomalous_rows")),
    (r"test/(.+)", Metric("loss on the test split: {0}", "number", "lower")),
    (r"(\w+)_difference", Metric("largest difference of the ONNX file: {0}", "number", "lower")),
    (r"(\w+)_equal", Metric("equal answers of the ONNX file: {0}", "share", "higher")),
)
"""Names with something in them that the words repeat."""


def metric(stage: str, name: str) -> Metric:
    """What a metric means; one that is not known keeps its name, without underscores."""
    if name in METRICS.get(stage, {}):
        return METRICS[stage][name]
    for pattern, known in PATTERNS:
        if found := re.fullmatch(pattern, name):
            inside = found[1].replace("_", " ").replace("/", ": ")
            return Metric(known.words.format(inside), known.form, known.better, known.counted)
    return Metric(name.replace("_", " ").replace("/", ": "))


def written(value: float, form: Form) -> str:
    """A value in the form of its metric."""
    if form == "yes":
        return "yes" if value else "no"
    if form == "count":
        return f"{value:,.0f}"
    return f"{shown(value)}\u00a0%" if form == "percent" else percent(value) if form == "share" else shown(value)


def percent(share: float) -> str:
    """A share from 0 to 1; only what is all or nothing is written as 100 or 0."""
    value = 100 * share
    if 0 < value < 0.1 or 99.9 < value < 100:
        return "under 0.1\u00a0%" if value < 1 else "over 99.9\u00a0%"
    return f"{value:.1f}\u00a0%" if 0 < value < 10 or 90 < value < 100 else f"{value:.0f}\u00a0%"


def isolated(name: str) -> str:
    """A name as part of a sentence: what is written from right to left in it does not turn what stands around it
    (UAX #9, isolates)."""
    return name if _turns_nothing(name) else f"\u2068{name}\u2069"


def _turns_nothing(name: str) -> bool:
    return all(bidirectional(letter) not in TURNING for letter in name)


def interval(low: float | None, high: float | None) -> str:
    """Bounds of a share as they stand behind it; empty where they are not known."""
    if low is None or high is None or not (low == low and high == high):
        return ""
    return f" ({100 * low:.0f} to {100 * high:.0f})"


def duration(seconds: float) -> str:
    """In minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{seconds:.0f} s"
