"""A run that starts from the encoder of another: of its data folder, or of its MLflow run."""

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.training.trained import TrainedModel

OTHER = {"training": {"epochs": 1, "threads": 1, "seed": 1}}


def starting(address, **training):
    return {"name": "dense", "training": OTHER["training"] | {"initial_encoder": address} | training}


def weights(folder):
    return TrainedModel.load(folder / "06_models/autoencoder").module.state_dict()


def nothing_written(tmp_path):
    return {path.name for path in (tmp_path / "data").rglob("*")} <= {".run.lock", ".run.json"}


@pytest.fixture
def earlier(ran, tmp_path, mlflow_runs):
    """The data folder of a finished run, and its MLflow id."""
    folder = ran("ingest", "fit", "embed").rename(tmp_path / "earlier")
    return folder, mlflow_runs()[-1].info.run_id


def test_a_run_starts_from_the_frozen_encoder_of_another(run, earlier, mlflow_runs):
    folder, run_id = earlier
    before = weights(folder)
    addresses = {str(folder): "autoencoder", f"runs:/{run_id}/encoder": "encoder", f"mlflow:{run_id}": "encoder"}
    run("ingest")
    for address, part in addresses.items():
        data = run("fit", recipe=starting(address, freeze_encoder=True))
        for name, tensor in weights(data).items():
            assert torch.equal(before[name], tensor) == name.startswith("encoder.")
        origin = TrainedModel.load(data / "06_models/autoencoder").contract.initial_encoder
        assert (origin.run_id, origin.recipe, origin.frozen) == (run_id, "dense", True)
        assert origin.sha256 == TrainedModel.load(folder / "06_models" / part).contract.sha256
        assert mlflow_runs()[-1].data.params["recipe.training.initial_encoder"] == address


def test_what_a_training_started_from_may_be_gone_when_the_model_is_used(run, earlier):
    folder, _ = earlier
    recipe = starting(str(folder), freeze_encoder=True)
    run("ingest", "fit", recipe=recipe)
    folder.rename(folder.with_name("elsewhere"))
    data = run(
        "embed", "generate", recipe=recipe, generate={"count": 3, "grid": 3, "judged": 20, "judge": {"steps": 9}}
    )
    assert (data / "08_reporting/gaps.png").exists()
    with pytest.raises(InputError, match="training.initial_encoder: .*earlier is not a folder"):
        run("fit", recipe=recipe)


def test_an_mlflow_runs_encoder_is_held_against_the_layers_before_any_work_and_learned_on(run, earlier, tmp_path):
    folder, run_id = earlier
    other = starting(f"mlflow:{run_id}") | {"model": {"latent_size": 7}}
    with pytest.raises(InputError, match=r"the encoder in .* does not have the layers of this recipe's"):
        run("ingest", "fit", recipe=other)
    assert nothing_written(tmp_path)
    data = run("ingest", "fit", recipe=starting(f"mlflow:{run_id}", learning_rate=1e-6))
    before, after = weights(folder), weights(data)
    assert not all(torch.equal(before[name], after[name]) for name in after if name.startswith("encoder."))
    assert all(torch.allclose(before[name], after[name], atol=1e-4) for name in after if name.startswith("encoder."))


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (starting("/nowhere"), "/nowhere is not a folder: give the folder"),
        (starting("mlflow:0123"), "there is no MLflow run 0123 where runs are recorded: `make mlflow` shows them"),
        (starting("/nowhere") | {"name": "gan"}, "gan has no encoder that could start from"),
    ],
)
def test_a_start_that_is_not_there_is_refused_before_any_work(run, tmp_path, mlflow_runs, recipe, message):
    with pytest.raises(InputError, match=message):
        run("ingest", "fit", recipe=recipe)
    assert nothing_written(tmp_path)
    assert mlflow_runs() == []


def test_a_run_that_has_kept_no_encoder_is_refused_with_what_it_kept(run, mlflow_runs):
    run("ingest", "fit")
    run_id = mlflow_runs()[-1].info.run_id
    with pytest.raises(
        InputError, match=r"\(ingest\+fit · digits · dense, FINISHED\) has no 'encoder', it kept .*learning_curves.*"
    ):
        run("fit", recipe=starting(f"mlflow:{run_id}"))
