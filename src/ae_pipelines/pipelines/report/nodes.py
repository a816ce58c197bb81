"""All that a run left becomes one page, with a map of the latents."""

import inspect
from typing import Any, get_type_hints

import pandas as pd

from ae_pipelines.base.tables import Table
from ae_pipelines.downstream import plane
from ae_pipelines.latents.file import Latents
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.results import Results, of_these


def lay_out(latents: Latents, options: ReportOptions) -> pd.DataFrame:
    """Where each sample lies in the plane, by each layout."""
    return plane.plane(latents, options.layouts, options.samples, options.seed)


def draw_latent_map(
    latents: Latents, places: pd.DataFrame, clusters: Table | None = None, cluster_model: Any = None
) -> Any:
    """The latents in the plane, by label and by group, as far as there are any."""
    from ae_pipelines.plots import latent_map

    rows = latents.positions(places["sample_id"].tolist())
    labels = latents.labels[rows] if latents.labelled.any() else None
    groups, kind = None, ""
    if clusters is not None and of_these(latents, cluster_model, clusters):
        groups, kind = clusters["cluster"].to_numpy()[rows], cluster_model.kind
    layout = plane.layouts_of(places)[0]
    title = f"Latent map: {plane.IN_WORDS[layout]} of {len(rows):,} latents (d = {latents.size})"
    return latent_map.latent_map(plane.places_in(places, layout), labels, groups, kind, title)


def write(options: ReportOptions, **left: Any) -> str:
    """The page about what a run left, each part by its name in `Results`."""
    from ae_pipelines.report import page

    return page.page(Results(**left), options)


PARTS = dict(inspect.signature(Results).parameters)
write.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [*PARTS.values(), inspect.signature(write).parameters["options"].replace(kind=inspect.Parameter.KEYWORD_ONLY)]
)
write.__annotations__ |= get_type_hints(Results)
