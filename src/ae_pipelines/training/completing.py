"""What a method learns without gradients, once its phases are over."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.models.batch import Loader
from ae_pipelines.models.method import Method
from ae_pipelines.models.weights import tensors_sha256
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.options import TrainOptions

PHASE = "complete"
"""What rows of the history call it."""


def complete(model: Method, batches: Loader, file: CheckpointFile | None, fingerprint: str) -> None:
    """Let `model` learn that from train batches; what it learned is kept beside the checkpoint in `file`, and is taken
    from there where a training with this fingerprint ended with the same weights."""
    if not model.completes:
        return

    def learned() -> dict[str, Tensor]:
        model.eval()
        with torch.no_grad():
            model.complete(batches)
        return dict(model.named_buffers())

    if file is None:
        learned()
        return
    key = canonical_sha256([fingerprint, tensors_sha256(model.state_dict())])
    model.load_state_dict(file.beside("complete").made_once(key, learned), strict=False)


def rows(model: Method) -> Iterator[dict[str, Any]]:
    """What the model says about that, as rows of a history."""
    learned = model.learned()
    for number, losses in enumerate(learned, start=1):
        row: dict[str, Any] = {"phase": PHASE, "epoch": number}
        row |= {f"train/{name}": value for name, value in losses.items()}
        row |= {"loss": sum(losses.values()), "gradient_norm": 0.0, "learning_rate": 0.0}
        yield row | {"best_so_far": number == len(learned)}


def refuse_epochs(options: TrainOptions) -> None:
    """`InputError` if a training without phases is to go on for more epochs."""
    if options.until_epoch is not None:
        raise InputError(
            f"training.until_epoch is {options.until_epoch}, but this method has no epochs, since it learns without "
            "gradients: leave it out"
        )
