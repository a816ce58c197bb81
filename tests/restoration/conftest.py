import pytest
import torch
from making import ArraySource, images

from ae_pipelines.restoration import restoring
from ae_pipelines.restoration.options import RestoreOptions
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


@pytest.fixture(scope="session")
def colour_samples(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("samples"), ArraySource(images(60, (3, 16, 12))))


@pytest.fixture
def restored(colour_samples, tmp_path):
    """Restores by an untrained model for these corruptions."""

    def work(corruptions, model=None, samples=colour_samples, **options):
        corruptions = corruptions if isinstance(corruptions, list) else [corruptions]
        recipe = Recipe.model_validate(
            {"model": model or {"kind": "restorer", "width": 4}, "loader": {"corruptions": corruptions}}
        )
        torch.manual_seed(0)
        task = recipe.task(samples)
        TrainedModel.of(recipe.model.build(task), recipe, task, samples).save(tmp_path / "model")
        trained = TrainedModel.load(tmp_path / "model")
        asked = RestoreOptions.model_validate(options)
        with restoring.restored(trained, samples, recipe, asked, tmp_path / "restored") as done:
            return done

    return work
