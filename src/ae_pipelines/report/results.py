"""All that a run left in its data folder, as far as it is there and belongs together."""

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.base.tables import Table
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

STANDS_ON = {
    "cluster_model": ("clusters", "cluster_metrics", "cluster_sizes"),
    "classifier": ("predictions", "classify_metrics", "per_class", "few_labels", "to_label", "controls"),
    "anomaly_model": ("anomalies", "detect_metrics", "oddest_samples"),
}
"""What counts only together with a model that was fitted on the latents at hand."""
STAGES = {"cluster_model": "cluster", "classifier": "classify", "anomaly_model": "detect"}


@dataclass
class Results:
    """What a run left; None: it is not there, was left out, or belongs to another encoder, as `left_out` says.

    Names are those of the catalog. Raises `InputError` if samples, model and latents do not belong together.
    """

    samples: Samples
    latents: Latents
    map: pd.DataFrame
    autoencoder: Any
    """A `TrainedModel`, whose module imports torch."""
    run: Run = NO_RUN
    ingest_metrics: dict[str, float] | None = None
    rejects: pd.DataFrame | None = None
    columns: pd.DataFrame | None = None
    conflicts: pd.DataFrame | None = None
    training_history: list[dict[str, Any]] | None = None
    fit_metrics: dict[str, float] | None = None
    embed_metrics: dict[str, float] | None = None
    cluster_model: Any = None
    clusters: Table | None = None
    cluster_metrics: dict[str, float] | None = None
    cluster_sizes: pd.DataFrame | None = None
    classifier: Any = None
    pca_latents: Latents | None = None
    pca_classifier: Any = None
    predictions: Table | None = None
    classify_metrics: dict[str, float] | None = None
    per_class: pd.DataFrame | None = None
    few_labels: dict[str, Any] | None = None
    to_label: pd.DataFrame | None = None
    controls: dict[str, Any] | None = None
    anomaly_model: Any = None
    anomalies: Table | None = None
    detect_metrics: dict[str, float] | None = None
    oddest_samples: pd.DataFrame | None = None
    search_metrics: dict[str, float] | None = None
    export_metrics: dict[str, float] | None = None
    registration: dict[str, Any] | None = None
    warnings: dict[str, dict[str, list[str]]] | None = None
    """What was warned about: by stage, by node."""
    given: dict[str, dict[str, str]] | None = None
    """What was typed when each stage ran last, by parameter."""
    left_out: list[str] = field(default_factory=list, init=False)
    """Why some results are not shown, a sentence each."""

    def __post_init__(self) -> None:
        provenance.refuse_other_samples(self.latents, self.samples)
        provenance.refuse_other_encoder(self.latents, self.autoencoder.contract.sha256)
        self._refuse_other_map()
        self._leave_out_skipped()
        for model in STANDS_ON:
            self._leave_out_unless_belonging(model)
        self._leave_out_other_control()

    @cached_property
    def rows(self) -> np.ndarray:
        """Rows in the store of the samples on the map, ascending."""
        return np.sort(self.rows_of_map)

    @cached_property
    def rows_of_map(self) -> np.ndarray:
        """Row in the store of each sample on the map, as the map has them."""
        return self.latents.positions(self.map["sample_id"])

    def ids(self, rows: Any) -> np.ndarray:
        """Ids of the samples in these rows, as text."""
        return self.latents.ids_at(np.asarray(rows, np.int64))

    def test_rows(self) -> np.ndarray:
        """Rows of the test split."""
        return np.flatnonzero(self.latents.in_split("test"))

    def _refuse_other_map(self) -> None:
        if (self.rows < 0).any():
            raise InputError("the map has samples that have no latents: run report again", stages=("report",))

    def _leave_out_skipped(self) -> None:
        found: dict[str, None] = {}
        for part in fields(self):
            if isinstance(value := getattr(self, part.name), Skipped):
                found[value.why] = None
                setattr(self, part.name, None)
        self.left_out += found

    def _leave_out_unless_belonging(self, model: str) -> None:
        """Drop what was made on latents of another encoder, or half made."""
        parts, stage = STANDS_ON[model], STAGES[model]
        fitted, there = getattr(self, model), any(getattr(self, part) is not None for part in parts)
        if fitted is None and not there:
            return
        if of_these(self.latents, fitted, getattr(self, parts[0])):
            return
        self.left_out.append(f"what {stage} made is of other latents: run {stage} and report again")
        for part in (model, *parts):
            setattr(self, part, None)

    def _leave_out_other_control(self) -> None:
        """Drop the comparison with controls of other latents, and the classifier on PCA latents where these are newer,
        as after a kill."""
        if self.controls is not None and self.controls["encoder"] != self.latents.encoder:
            self.controls = None
        if self.pca_classifier is None or self.pca_latents is None:
            return
        if self.pca_classifier.encoded_by.encoder != self.pca_latents.encoder:
            self.left_out.append("the classifier on PCA is of other PCA latents: run classify and report again")
            self.pca_classifier = None


def of_these(latents: Latents, model: Any, table: Table | None) -> bool:
    """Whether a model was fitted on latents of this encoder, and its table has a row for each of these samples, which
    may be newer than the encoder."""
    if model is None or table is None or model.encoded_by.encoder != latents.encoder:
        return False
    return provenance.are_of(table, latents)
