"""What latents are measured by on the scoreboard; each task gives numbers by name, of which the first is shown."""

from typing import Annotated, Any, Protocol

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.downstream import classification, clustering, detection, few_labels, search
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

TASKS = Registry("task", __name__)


COMPONENTS_OF_UMAP_CONTROL = 50
"""A UMAP loses little by starting from this many principal components: that is what an encoder has to beat."""


class Encodings(Protocol):
    """The latents that one encoder makes of the samples."""

    classes: tuple[str, ...]
    """Classes of the train split."""

    def latents(self, normal_labels: tuple[str, ...] = ()) -> Latents:
        """Latents by the encoder that has learned only from samples with these labels; from all, if none are given."""
        ...


class ScoreboardTask(Protocol):
    """One measurement of the scoreboard."""

    transductive: bool
    """Whether test samples, without their labels, are learned from: results on the test split are then too good for
    samples that come later."""
    teaches: bool
    """Whether encoders are trained anew for it, on only some samples."""
    components: int | None
    """Components of one more PCA control; None: the one with as many components as latents is enough."""
    decodes: bool
    """Whether encoders need a decoder."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the numbers that it gives whatever the samples."""
        ...

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        """Numbers by name; none if the latents do not suit it."""
        ...

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if the samples do not suit it."""
        ...

    def judged_rows(self, samples: Samples) -> int:
        """Number of samples by which it judges."""
        ...


class TaskChoice(Choice):
    """A task by kind."""

    registry = TASKS


class _Task:
    transductive = False
    teaches = False
    components: int | None = None
    decodes = False
    metrics: tuple[str, ...]

    def check_samples(self, samples: Samples) -> None:
        labels = samples.label_counts()
        splits = labels.index.get_level_values("split")
        train, test = ({*labels[splits == split].index.get_level_values("label")} for split in ("train", "test"))
        if len(train & test) < 2:
            raise InputError(
                f"the scoreboard needs labels of at least two classes that are in both splits; found "
                f"{len(train & test)} ({len(train)} in the train split, {len(test)} in the test split): leave this "
                "task out, or give labels"
            )

    def judged_rows(self, samples: Samples) -> int:
        """The labelled samples of the test split."""
        labels = samples.label_counts()
        return int(labels[labels.index.get_level_values("split") == "test"].sum())


@TASKS.register("reconstruction")
class Reconstruction(_Task):
    """Mean squared error per value, on the test split."""

    decodes = True
    metrics = ("mse",)

    def check_samples(self, samples: Samples) -> None:
        samples.positions("test")

    def judged_rows(self, samples: Samples) -> int:
        return len(samples.positions("test"))

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        errors = encodings.latents().errors("test")
        return {"mse": errors["reconstruction_error"]} if errors else {}


@TASKS.register("cluster")
class Cluster(_Task):
    """Groups, matched to the classes: of all samples or, if fitted on the train split, of unseen ones."""

    def __init__(self, *, by: ClusterOptions = ClusterOptions()) -> None:  # noqa: B008
        self._options = by
        self.transductive = by.fit_on == "all"
        self.metrics = ("accuracy", "nmi", "ari") if self.transductive else ("unseen_accuracy",)
        self.components = COMPONENTS_OF_UMAP_CONTROL if "umap" in by.kind else None

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        latents = encodings.latents()
        groups = clustering.fit_groups(latents, self._options.model_copy(update={"seed": seed}))
        found = clustering.assign(groups, latents)["cluster"].to_numpy()
        metrics = clustering.cluster_metrics(latents, groups, found)
        return {name: metrics[name] for name in self.metrics}

    def check_samples(self, samples: Samples) -> None:
        super().check_samples(samples)
        self._options.check_samples(samples)

    def judged_rows(self, samples: Samples) -> int:
        return int(samples.label_counts().sum()) if self.transductive else super().judged_rows(samples)


@TASKS.register("classify")
class Classify(_Task):
    """Test accuracy of a classifier that learned from all labels of the train split, without calibration."""

    metrics = ("accuracy",)

    def __init__(self, *, by: ClassifyOptions = ClassifyOptions()) -> None:  # noqa: B008
        self._options = by.model_copy(update={"calibration": "none"})
        self.transductive = by.transductive
        self.components = COMPONENTS_OF_UMAP_CONTROL if "umap" in by.kind else None

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        latents, options = encodings.latents(), self._options.model_copy(update={"seed": seed})
        predicted = classification.predict(classification.fit_classifier(latents, options), latents)
        test = classification.test_rows(latents)
        right = predicted["predicted"].to_numpy(str)[test] == latents.labels[test]
        return {"accuracy": float(right.mean())}


@TASKS.register("few_labels")
class FewLabels(_Task):
    """Test error (%) with `by.few_labels` labels over all classes, mean over `by.draws` balanced draws."""

    def __init__(
        self,
        *,
        by: ClassifyOptions = ClassifyOptions(kind="label_spreading", few_labels=[100, 1000]),  # noqa: B008
    ) -> None:
        self._options = by
        self.metrics = tuple(f"error_with_{labels}_labels" for labels in by.few_labels)
        self.transductive = by.transductive
        self.components = COMPONENTS_OF_UMAP_CONTROL if "umap" in by.kind else None

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        options = self._options.model_copy(update={"seed": seed})
        return few_labels.errors(few_labels.curve(encodings.latents(), options))


@TASKS.register("neighbours")
class Neighbours(_Task):
    """Share of a test sample's nearest train samples that have its class."""

    metrics = ("same_class",)

    def __init__(self, *, k: Annotated[int, Field(gt=0)] = 9) -> None:
        self._k = k

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        return {"same_class": search.neighbour_agreement(encodings.latents(), self._k)}


@TASKS.register("one_class")
class OneClass(_Task):
    """Each class in turn is normal and all others are anomalies: areas under the ROC curve on the test split, their
    mean first. The encoder is trained once for each class."""

    teaches = True
    metrics = ("auroc",)

    def __init__(self, *, by: DetectOptions = DetectOptions()) -> None:  # noqa: B008
        self._options = by

    def __call__(self, encodings: Encodings, seed: int) -> dict[str, float]:
        found = {name: self._auroc(encodings.latents((name,))) for name in encodings.classes}
        mean = {"auroc": float(np.mean(list(found.values())))}
        return mean | {f"auroc_of_{name}": value for name, value in found.items()}

    def _auroc(self, latents: Latents) -> float:
        model = detection.fit_detector(latents, self._options)
        return detection.detection_metrics(latents, model, detection.find_anomalies(model, latents))["auroc"]

    def check_samples(self, samples: Samples) -> None:
        super().check_samples(samples)
        labels = samples.label_counts()
        missing = [name for name in samples.classes() if ("test", name) not in labels.index]
        if missing:
            raise InputError(
                f"one_class takes each class in turn as normal, but the test split has no sample of "
                f"{first_of(missing)}: give some, or leave this task out"
            )


def tasks(choices: dict[str, TaskChoice]) -> dict[str, Any]:
    """The tasks, built."""
    return {name: choice.build() for name, choice in choices.items()}
