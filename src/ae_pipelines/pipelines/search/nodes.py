"""Samples, or a new image, and what is nearest to them."""

from typing import Any

from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.downstream import search
from ae_pipelines.downstream.search import SearchOptions
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples


def find(latents: Latents, autoencoder: Any, options: SearchOptions, samples: Samples) -> TableStream:
    """The nearest samples of each that is looked for."""
    from ae_pipelines.samples import new_image

    provenance.refuse_other_samples(latents, samples)
    provenance.refuse_other_encoder(latents, autoencoder.contract.sha256)
    wanted = search.queries(latents, options, new_image.encoding(autoencoder))
    return TableStream(search.neighbours(latents, wanted, options))


def measure(latents: Latents, pca_latents: Latents, options: SearchOptions) -> dict[str, float]:
    """How often neighbours are of one class, beside neighbours among PCA latents."""
    control = search.search_metrics(pca_latents, options)
    beside = {f"pca_{name}": value for name, value in control.items() if name not in search.ABOUT}
    return search.search_metrics(latents, options) | beside


def draw_neighbours(neighbours: TableFile, latents: Latents, samples: Samples) -> Any:
    """What is looked for, and beside it what is nearest."""
    from ae_pipelines.plots import neighbours as plots
    from ae_pipelines.plots.figure import column_names

    lines = search.lines(neighbours, latents, samples, plots.MOST_LINES)
    return plots.neighbours(lines, neighbours.attrs["queries"], column_names(samples.spec))
