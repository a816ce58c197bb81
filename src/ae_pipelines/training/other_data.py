"""Other data through a trained autoencoder."""

import numpy as np

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import embedding
from ae_pipelines.training.devices import in_parallel
from ae_pipelines.training.trained import TrainedModel


def reconstruction_errors(autoencoder: TrainedModel, samples: Samples) -> np.ndarray:
    """Squared error averaged over features, (n,), float32, of samples of the autoencoder's shape and dtype.

    Their preprocessing is not compared: it names the source, and the question here is whether data from elsewhere are
    like those of the training.
    """
    _refuse_misfit(autoencoder, samples)

    def errors(values: np.ndarray) -> np.ndarray:
        return embedding.latent_block(autoencoder, values).reconstruction_error  # type: ignore[return-value]

    found = []
    with progress.bar(total=len(samples), label="recognise", unit="sample") as bar:
        for block in in_parallel(errors, samples.blocks(embedding.rows_per_pass(autoencoder)), autoencoder.device):
            found.append(block)
            bar.update(len(block))
    return np.concatenate(found)


def _refuse_misfit(autoencoder: TrainedModel, samples: Samples) -> None:
    contract = autoencoder.contract
    if not (hasattr(autoencoder.module, "encode") and hasattr(autoencoder.module, "decode")):
        raise InputError(
            f"{contract.model['kind']} does not reconstruct, so it cannot say what is unlike its data: train a method "
            "with encoder and decoder, such as autoencoder"
        )
    same_preprocessing = {"preprocessing": samples.spec.preprocessing}
    contract.samples.model_copy(update=same_preprocessing).refuse_other(samples.spec, "trained encoder")
