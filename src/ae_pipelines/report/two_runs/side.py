"""One of the two runs: all that is known of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import plane
from ae_pipelines.latents.file import Latents
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.results import Results
from ae_pipelines.report.shown import words
from ae_pipelines.report.two_runs.recorded import Recorded
from ae_pipelines.samples.store import Samples

STAGES = tuple(stage for stage in words.STAGES if stage != "export")
"""Stages whose metrics are compared: how near files are to their models says nothing of runs."""
WHOLE = ("samples", "latents", "autoencoder")
"""What nothing can be shown without."""


@dataclass(frozen=True)
class Found:
    """What is in the data folder of a run, as far as a comparison shows it; None: it is not there.

    Names are those of the catalog.
    """

    samples: Samples | None = None
    latents: Latents | None = None
    autoencoder: Any = None
    """A `TrainedModel`, whose module imports torch."""
    map: pd.DataFrame | None = None
    ingest_metrics: dict[str, float] | None = None
    fit_metrics: dict[str, float] | None = None
    embed_metrics: dict[str, float] | None = None
    cluster_model: Any = None
    clusters: Table | None = None
    cluster_metrics: dict[str, float] | None = None
    cluster_sizes: pd.DataFrame | None = None
    classifier: Any = None
    predictions: Table | None = None
    classify_metrics: dict[str, float] | None = None
    anomaly_model: Any = None
    anomalies: Table | None = None
    detect_metrics: dict[str, float] | None = None
    search_metrics: dict[str, float] | None = None

    def results(self, options: ReportOptions) -> Results | None:
        """What belongs together of it; None where there are no latents with their samples and their model."""
        there = {part.name: getattr(self, part.name) for part in fields(self)}
        if any(there[name] is None for name in WHOLE):
            return None
        there["map"] = _places(there["latents"], self.map, options)
        return Results(**there)


def _places(latents: Latents, places: pd.DataFrame | None, options: ReportOptions) -> pd.DataFrame:
    """Where samples lie in the plane: as it was laid out, or by PCA, which takes no time, where that is of other
    latents or was not done."""
    if places is not None and _are_of(places, latents):
        return places
    return plane.plane(latents, ("pca",), options.samples, options.seed)


def _are_of(places: pd.DataFrame, latents: Latents) -> bool:
    """Whether these are places of these latents, as far as can be told."""
    rows = latents.positions(places["sample_id"])
    if (rows < 0).any():
        return False
    if "pca" not in plane.layouts_of(places):
        return True
    again = plane.placed(latents.at(rows), "pca", seed=0)
    return bool(np.allclose(again, plane.places_in(places, "pca"), rtol=1e-3, atol=1e-3 * np.abs(again).max()))


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    place: str
    """The data folder, or the address in MLflow, as it was given."""
    results: Results | None
    """None: only what is on record is known."""
    metrics: dict[str, dict[str, float]]
    """By stage."""
    parameters: dict[str, str]
    """By dotted name."""
    record: Recorded | None = None
    notes: list[str] = field(default_factory=list)
    """What is not shown of it, and why, a sentence each."""

    @property
    def about(self) -> str:
        """Source and recipe, as far as they are known."""
        if self.results is not None:
            return f"{self.results.samples.manifest.source} · {self.results.autoencoder.contract.recipe}"
        known = [self.parameters[name] for name in ("source", "recipe.name") if name in self.parameters]
        return " · ".join(known) or (self.record.name if self.record else self.place)


def of_folder(found: Found, place: str, record: Recorded | None, options: ReportOptions) -> Side:
    """A run whose data folder is at hand; `InputError` where latents, samples or model are not there."""
    results = found.results(options)
    if results is None:
        missing = ", ".join(name for name in WHOLE if getattr(found, name) is None)
        raise InputError(f"compare: {place} has no {missing}: give the data_dir of a run in which embed ran")
    metrics = {stage: measured for stage in STAGES if (measured := getattr(results, f"{stage}_metrics"))}
    return Side(place, results, metrics, parameters_of(results), record, list(results.left_out))


def of_record(record: Recorded, place: str) -> Side:
    """A run of which only the record is left."""
    metrics = {stage: measured for stage in STAGES if (measured := record.metrics.get(stage))}
    return Side(place, None, metrics, record.parameters, record)


def parameters_of(results: Results) -> dict[str, str]:
    """What a data folder says of how a run was made: contract of the model, samples, and kinds of what stands on the
    latents."""
    contract = results.autoencoder.contract
    told: dict[str, Any] = {
        "source": results.samples.manifest.source,
        "recipe.name": contract.recipe,
        "model": contract.model,
        "corruptions": contract.corruptions,
        "classes": list(contract.task.classes),
        "learned_from": contract.learned_from.model_dump(mode="json"),
        "samples": results.samples.spec.model_dump(mode="json"),
        "initial_encoder": contract.initial_encoder.recipe if contract.initial_encoder else None,
        "versions": contract.versions,
        **_downstream(results),
    }
    return dict(_flat(told, ""))


def _downstream(results: Results) -> dict[str, Any]:
    models = {
        "cluster": results.cluster_model,
        "classify": results.classifier,
        "detect": results.anomaly_model,
    }
    return {stage: {"kind": model.kind} for stage, model in models.items() if hasattr(model, "kind")}


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Pairs of dotted names and texts; parts in a list are told in one text."""
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _flat(part, f"{name}.{key}" if name else str(key))
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "; ".join(map(_text, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}={_text(part)}" for key, part in value.items()) or "none"
    return "none" if value is None else str(value)
