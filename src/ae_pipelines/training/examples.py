"""Some samples and what a trained model makes of them: the rows of a picture."""

import numpy as np
import torch

from ae_pipelines.models.method import restored
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.trained import TrainedModel

SHOWN = 12
SEARCHED = 2000
"""Test samples among which the nearest ones are found."""

Rows = dict[str, np.ndarray]
"""Samples by what they are, at most SHOWN in each row, (n, *shape), float32."""


def examples(trained: TrainedModel, samples: Samples) -> Rows:
    """Rows for all that the model can do: reconstruct or restore test samples (corrupted as in training), find the
    nearest ones if it has no decoder, make new ones."""
    rows: Rows = {}
    if trained.restores or (hasattr(trained.module, "encode") and hasattr(trained.module, "decode")):
        rows = _reconstructed(trained, _spread(samples, SHOWN))
    elif hasattr(trained.module, "encode"):
        rows = _neighbours(trained, samples)
    count = min(map(len, rows.values()), default=SHOWN)
    return rows | (_new_samples(trained, count) if trained.module.generates else {})


def residuals(trained: TrainedModel, values: np.ndarray) -> np.ndarray | None:
    """What reconstructions of stored samples (n, *shape) get wrong, of the same shape; None if there are none."""
    if not (hasattr(trained.module, "encode") and hasattr(trained.module, "decode")):
        return None
    return trained.reconstruct(values) - trained.contract.samples.as_input(values)


def rebuilt(trained: TrainedModel, values: np.ndarray) -> Rows:
    """Samples (n, *shape) as they are stored, with the model's reconstructions and the absolute differences; only the
    samples if it cannot reconstruct."""
    clean = trained.contract.samples.as_input(values)
    if not (hasattr(trained.module, "encode") and hasattr(trained.module, "decode")):
        return {"sample": clean}
    output = trained.reconstruct(values)
    return {"sample": clean, "output": output, "residual": np.abs(output - clean)}


def _spread(samples: Samples, count: int) -> np.ndarray:
    """At most `count` samples from all over the test split."""
    rows = samples.positions("test")
    return samples.take(rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)])


def _reconstructed(trained: TrainedModel, shown: np.ndarray) -> Rows:
    clean = trained.contract.samples.as_input(shown)
    if not trained.contract.corruptions:
        return {"sample": clean, "output": trained.reconstruct(shown)}
    corrupted = trained.corrupted(shown)
    if corrupted.shape[1:] != trained.contract.task.input_shape:  # crops of training, which no one gives it later
        return {"sample": clean, "output": trained.reconstruct(shown)}
    with torch.inference_mode():
        output = restored(trained.module, torch.from_numpy(corrupted).to(trained.device)).cpu().numpy()
    return {"input": corrupted, "output": output, "sample": clean}


def _neighbours(trained: TrainedModel, samples: Samples) -> Rows:
    """Each sample above the other test sample whose latent is nearest."""
    among = _spread(samples, SEARCHED)
    vectors = trained.encode(among)
    shown = np.linspace(0, len(among) - 1, min(SHOWN, len(among))).astype(int)
    distances = np.linalg.norm(vectors[shown, None] - vectors[None], axis=-1)
    distances[np.arange(len(shown)), shown] = np.inf
    as_input = trained.contract.samples.as_input
    return {"sample": as_input(among[shown]), "nearest": as_input(among[distances.argmin(axis=1)])}


def _new_samples(trained: TrainedModel, count: int) -> Rows:
    """New samples, of each class in turn if the model is conditional."""
    draw = np.random.default_rng(0)
    classes = trained.contract.task.classes
    rows: Rows = {}
    for number in (1, 2):
        z = draw.standard_normal((count, trained.contract.latent_size), np.float32)
        labels = [classes[place % len(classes)] for place in range(count)] if trained.module.conditional else None
        rows[f"drawn {number}"] = trained.decode(z, labels)
    return rows
