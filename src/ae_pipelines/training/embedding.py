"""Latents of every sample of a store by a trained autoencoder, in one streaming pass."""

import json
from collections.abc import Iterator
from functools import partial
from math import prod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.stream import LatentBlock, LatentStream
from ae_pipelines.models.contract import Contract
from ae_pipelines.models.inputs import inputs
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.devices import in_parallel
from ae_pipelines.training.trained import TrainedModel

ROWS_PER_PASS = 512
ROWS_PER_PASS_ON_GPU = 8192
GPU_PASS_BYTES = 2**28
"""Of the inputs of a pass on a GPU: larger samples take smaller passes."""


def latent_stream(autoencoder: TrainedModel, samples: Samples, errors: bool = True) -> LatentStream:
    """Latents of all samples and, with `errors`, their reconstruction errors, if the model has a decoder.

    A latent that is a feature map is written as the vector that the method makes of it. Raises `InputError` if the
    samples do not fit the autoencoder, or if it cannot encode.
    """
    contract = autoencoder.contract
    if not hasattr(autoencoder.module, "encode"):
        raise InputError(
            f"{contract.model['kind']} has no encoder, so embed cannot run: train a method with one, such as vae"
        )
    contract.samples.refuse_other(samples.spec, contract.part)
    metadata = {
        "encoder_sha256": contract.sha256,
        "recipe": contract.recipe,
        "run_id": contract.run_id or "",
        "preprocessing_sha256": contract.preprocessing_sha256,
        "samples_id": samples.id,
        "normal_labels": json.dumps(contract.learned_from.normal_labels),
        "latent": _description(contract),
    }
    return LatentStream(samples.identities(contract.learned_from), _blocks(autoencoder, samples, errors), metadata)


def _blocks(autoencoder: TrainedModel, samples: Samples, errors: bool) -> Iterator[LatentBlock]:
    embed = partial(latent_block, autoencoder, errors=errors)
    with progress.bar(total=len(samples), label="embed", unit="sample") as bar:
        for block in in_parallel(embed, samples.blocks(rows_per_pass(autoencoder)), autoencoder.device):
            yield block
            bar.update(len(block.vectors))


def rows_per_pass(autoencoder: TrainedModel) -> int:
    """How many samples are encoded at once where the model is."""
    if autoencoder.device.type == "cpu":
        return ROWS_PER_PASS
    size = 4 * prod(autoencoder.contract.samples.shape)
    return max(1, min(ROWS_PER_PASS_ON_GPU, GPU_PASS_BYTES // size))


@torch.inference_mode()
def latent_block(autoencoder: TrainedModel, values: np.ndarray, errors: bool = True) -> LatentBlock:
    """Latents of stored values (batch, *shape) and, with `errors`, their errors, if the model has a decoder."""
    x = inputs(values, autoencoder.contract.samples, autoencoder.device)
    z = autoencoder.module.encode(autoencoder.encoder_input(x))
    vectors = autoencoder.module.vectors(z).cpu().numpy()
    if not (errors and hasattr(autoencoder.module, "decode")):
        return LatentBlock(vectors)
    residual = autoencoder.module.decode(z).sub_(x)
    blurred = blurred_error(residual, x).cpu().numpy() if x.ndim == 4 else None
    return LatentBlock(vectors, mean_square(residual).cpu().numpy(), blurred)


def _description(contract: Contract) -> str:
    """What a vector in the file is, in words."""
    channels, *size = contract.latent_shape
    if not size:
        return "the latent"
    positions = " x ".join(map(str, size))
    if contract.model.get("vector_size") is None or contract.vector_size is None:
        return f"the mean over a latent feature map of {positions}"
    return f"{contract.vector_size} principal components of a latent feature map of {channels} x {positions}"


def mean_square(values: Tensor) -> Tensor:
    """Mean of the squares of each row, (batch,)."""
    rows = values.flatten(1)
    return torch.linalg.vector_norm(rows, dim=1).square_().div_(rows.shape[1])


def blurred_error(residual: Tensor, x: Tensor) -> Tensor:
    """‖box₃ₓ₃(x̂ - x)‖² / ‖x‖², (batch,): blurring keeps what is wrong over an area and drops pixel noise.

    The box is taken along rows, then along columns; outside the image is zero.
    """
    padded = F.pad(residual, (1, 1, 1, 1))
    across = (padded[..., :-2] + padded[..., 1:-1]).add_(padded[..., 2:])
    box = (across[..., :-2, :] + across[..., 1:-1, :]).add_(across[..., 2:, :])
    energy = mean_square(x).clamp_min(float(np.finfo(np.float32).tiny))
    return mean_square(box).div_(9**2).div_(energy)
