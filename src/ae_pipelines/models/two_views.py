"""How well an encoder tells that two views show one sample."""

import torch

from ae_pipelines.models.batch import Loader
from ae_pipelines.models.method import Method


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
