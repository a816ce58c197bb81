"""A trained model's loss terms and measures of its own, on samples that it has not seen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.models import Player
from ae_pipelines.models.batch import Loader
from ae_pipelines.models.corruptions import training_shape
from ae_pipelines.models.method import Method, device_of, restored, restores
from ae_pipelines.models.nets.resampling import without_learning
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.collapse import LatentWatch
from ae_pipelines.training.devices import keeping_random
from ae_pipelines.training.loaders import batches_of_test_split
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


def evaluate(trained: TrainedModel, samples: Samples, recipe: Recipe) -> dict[str, float]:
    """Metrics of the test split: loss terms ("test/<player>/<term>"), the method's own (such as "nll"), rank and
    variance of its latents (`collapse`), and how far corruptions are undone."""
    model = trained.module
    test = batches_of_test_split(samples, recipe, model, trained.device)
    last = model.phases()[-1:]
    with judging(model, recipe.training.seed):
        terms = mean_terms(last[0].players, test) if last else {}
        found = {f"test/{name}": value for name, value in terms.items()} | model.measures(test)
        watch = LatentWatch(model, test, trained.contract.task.input_shape)
        found |= {f"latent_{name}": value for name, value in watch.measured().items()}
        corrupted = [choice.build() for choice in recipe.loader.corruptions]
        as_later = training_shape(corrupted, samples.spec) == trained.contract.task.input_shape  # no smaller crops
        return found | (_restoration(model, test) if corrupted and as_later else {})


@contextmanager
def judging(model: Method, seed: int) -> Iterator[None]:
    """Evaluation mode, no gradients, and the same random numbers each time."""
    was_training = model.training
    model.eval()
    with torch.no_grad(), keeping_random(device_of(model)):
        torch.manual_seed(seed)
        yield
    model.train(was_training)


def mean_terms(players: list[Player], loader: Loader, precision: Callable[[], Any] = nullcontext) -> dict[str, float]:
    """Each player's loss terms ("<player>/<term>"), averaged over samples."""
    found: dict[str, list[tuple[Tensor, int]]] = {}  # read at the end, all at once: each read waits for a GPU
    count = 0
    for batch in loader.epoch(0):
        count += len(batch.rows)
        for player in players:
            with precision():
                terms = player.terms(batch)
            for name, value in terms.items():
                found.setdefault(f"{player.name}/{name}", []).append((value, len(batch.rows)))
    return {name: _total(*zip(*each, strict=True)) / count for name, each in found.items()}


def _total(values: tuple[Tensor, ...], weights: tuple[int, ...]) -> float:
    return sum(value * weight for value, weight in zip(torch.stack(values).tolist(), weights, strict=True))


def _restoration(model: Method, test: Loader) -> dict[str, float]:
    """Mean squared error of corrupted samples and of restored ones, and their ratio; empty where the model can neither
    restore nor decode. Small samples are enlarged for the comparison, grey ones repeated in each channel."""
    if not restores(model):
        return {}
    before, after, count = 0.0, 0.0, 0
    for batch in test.epoch(0):
        before += float(F.mse_loss(without_learning(batch.input, batch.target.shape[1:]), batch.target)) * len(
            batch.rows
        )
        after += float(F.mse_loss(restored(model, batch.input), batch.target)) * len(batch.rows)
        count += len(batch.rows)
    return {
        "corrupted_error": before / count,
        "restored_error": after / count,
        "times_lower": before / after,
    }
