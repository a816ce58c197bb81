"""The recipe that suits the samples, chosen by a run."""

import numpy as np

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

    run("fit", source=source, recipe={"name": "auto", "model": {"latent_size": 2}, "training": training})
    assert TrainedModel.load(data / "06_models/autoencoder").contract.latent_shape == (2,)
