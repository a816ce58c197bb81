"""The recipe that suits the samples, chosen by a run."""

from types import SimpleNamespace

import numpy as np
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from making import PROJECT

from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.project.suiting import SuitingHook
from ae_pipelines.settings import CONFIG_LOADER_ARGS
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


def test_auto_trains_what_suits_the_samples_with_what_was_typed_for_it(run, mlflow_runs, tmp_path, caplog):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32))
    source = {"name": "array", "path": str(tmp_path / "few.npy"), "layout": "NF"}
    training = {"steps": 4, "threads": 1}
    with caplog.at_level("INFO"):
        data = run("ingest", "fit", source=source, recipe={"name": "auto", "training": training})
    assert "vectors, 300 of 6 numbers, no labels: recipe=dense,recipe.model.latent_size=3" in caplog.text
    contract = TrainedModel.load(data / "06_models/autoencoder").contract
    assert contract.recipe == "dense"
    assert contract.latent_shape == (3,)
    (record,) = mlflow_runs()
    assert record.info.run_name == "ingest+fit · few · dense"
    assert record.data.params["recipe.name"] == "dense"
    assert record.data.params["recipe.training.steps"] == "4"


def test_samples_that_are_there_already_decide_before_the_first_node(digits):
    given = {"recipe": {"name": "auto", "model": {"latent_size": 2}}}
    loader = ConfigLoader(str(PROJECT / "conf"), runtime_params=given, **CONFIG_LOADER_ARGS)
    undecided = Recipe.model_validate(loader["parameters"]["recipe"])
    entries = {"samples": digits, "params:recipe": undecided}
    catalog = DataCatalog({name: MemoryDataset(data, copy_mode="assign") for name, data in entries.items()})
    hook = SuitingHook()
    hook.after_context_created(SimpleNamespace(config_loader=loader))
    hook.before_pipeline_run({}, Pipeline([Node(max, [*entries], "model", name="fit")]), catalog)
    chosen = catalog.load("params:recipe")
    assert (chosen.name, chosen.model.model_extra["latent_size"]) == ("probe", 2)
    assert chosen.model.kind == Recipe.model_validate(loader.recipe_called("probe", {})).model.kind
