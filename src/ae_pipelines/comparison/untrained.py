"""Encoders without a training: random weights, and patches, which learn in closed form. What a trained encoder has to
beat."""

from functools import partial

import numpy as np
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.inputs import as_tensor
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.devices import in_parallel
from ae_pipelines.training.embedding import latent_block
from ae_pipelines.training.options import LoaderOptions, TrainOptions
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

BATCH = 256
CENTROIDS = 400
"""Patches in the dictionary, or as many as there are train samples."""
ROWS_PER_PASS = 512


def with_random_weights(trained: TrainedModel | None, seed: int) -> TrainedModel:
    """The model as it was before its training; `InputError` if there is none, or if it learned without gradients."""
    if trained is None:
        raise InputError("there is no trained model")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = ModelChoice(**trained.contract.model).build(trained.contract.task)
    if not module.phases():
        raise InputError(f"{trained.contract.model['kind']} has no weights that a training would move")
    return TrainedModel(module.eval(), trained.contract)


def patches_recipe(spec: SampleSpec, latent_size: int, train_rows: int, batch_rows: int) -> Recipe:
    """The recipe of the control `patches` with as many latents and batches of at most `batch_rows`; `InputError` if
    these samples are no images that it can take."""
    model = ModelChoice(kind="patches", latent_size=latent_size, centroids=min(CENTROIDS, train_rows))
    loader = LoaderOptions(batch_size=min(BATCH, batch_rows))
    training = TrainOptions(validation_share=0, patience=None)
    recipe = Recipe(name="patches", model=model, loader=loader, training=training)
    with torch.random.fork_rng():
        model.build(Task.plain(spec))
    return recipe


def patches(samples: Samples, rows: np.ndarray, latent_size: int, seed: int) -> TrainedModel:
    """Patches that have learned from the samples at `rows`; `InputError` if that is not possible."""
    recipe, task = patches_recipe(samples.spec, latent_size, len(rows), len(rows)), Task.plain(samples.spec)
    finish = Finish(**samples.spec.scaling._asdict(), seed=seed)
    batches = Batches(as_tensor(samples.take(rows)), finish, batch_size=recipe.loader.batch_size)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        module = recipe.model.build(task).eval()
        module.complete(batches)
    return TrainedModel.of(module, recipe, task, samples)


def vectors(model: TrainedModel, samples: Samples, rows: np.ndarray) -> np.ndarray:
    """Latent vectors (len(rows), d) of the samples at `rows`."""
    parts = [rows[start : start + ROWS_PER_PASS] for start in range(0, len(rows), ROWS_PER_PASS)]
    embed = partial(latent_block, model, errors=False)
    return np.concatenate([block.vectors for block in in_parallel(embed, map(samples.take, parts), model.device)])
