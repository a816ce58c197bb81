"""Other data against a trained encoder: was it trained on data like these?"""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ae_pipelines.base.tables import Table, TableStream
from ae_pipelines.downstream import familiarity
from ae_pipelines.downstream.detection import calibration_rows
from ae_pipelines.downstream.familiarity import RecogniseOptions
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.samples.store import Samples

log = logging.getLogger(__name__)


def compare(
    samples: Samples, trained_autoencoder: Any, trained_latents: Latents, options: RecogniseOptions
) -> TableStream:
    """Each sample's reconstruction error, and whether it lies outside the training range."""
    from ae_pipelines.training import other_data

    provenance.refuse_other_encoder(trained_latents, trained_autoencoder.contract.sha256)
    known = familiarity.ErrorRange.of(trained_latents)
    errors = other_data.reconstruction_errors(trained_autoencoder, samples)
    return TableStream(_pieces(samples, errors, known))


def _pieces(samples: Samples, errors: np.ndarray, known: familiarity.ErrorRange) -> Iterator[pd.DataFrame]:
    start = 0
    for batch in samples.index_batches("sample_id"):
        ids = pd.Series(batch.column(0).to_pylist(), dtype="str")
        yield familiarity.familiarity(ids, errors[start : (start := start + len(ids))], known)


def measure(found: Table, trained_latents: Latents) -> tuple[dict[str, float], dict[str, str]]:
    """The share outside the training range, beside that of the encoder's own test split; and the verdict in words."""
    metrics = familiarity.familiarity_metrics(found, trained_latents)
    verdict = familiarity.verdict(metrics)
    log.info("recognise: %s", verdict)
    return metrics, {"verdict": verdict}


def draw(found: Table, trained_latents: Latents, metrics: dict[str, float], verdict: dict[str, str]) -> Any:
    """The errors of both."""
    from ae_pipelines.plots import anomalies

    groups = familiarity.errors_of_both(found, trained_latents)
    known = (metrics["range_low"], metrics["range_high"], int(calibration_rows(trained_latents).sum()))
    return anomalies.two_ranges(groups, *known, verdict["verdict"])
