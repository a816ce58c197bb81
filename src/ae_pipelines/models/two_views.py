"""Two views of one sample, told from those of others."""

import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.method import Method


def refuse_single(model: Method, batch: Batch, method: str) -> None:
    """`InputError` if a model that learns from other samples of a batch is given one without any."""
    if model.training and len(batch.input) < 2:
        raise InputError(f"{method} tells samples of a batch apart: give a loader.batch_size of 2 or more")


def view_auroc(model: Method, test: Loader) -> dict[str, float]:
    """`views_auroc`: how well distance tells two views of one sample from views of two samples."""
    from sklearn.metrics import roc_auc_score

    near, far = [], []
    for batch in test.epoch(0):
        first, second = model.encode(batch.input), model.encode(batch.second)  # type: ignore[arg-type]
        near.append((first - second).norm(dim=1))
        far.append((first - second.roll(1, 0)).norm(dim=1))
    distances = torch.cat([*near, *far]).cpu().numpy()
    alike = torch.arange(len(distances)) < len(distances) // 2
    return {"views_auroc": float(roc_auc_score(alike.numpy(), -distances))}
