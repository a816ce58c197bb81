"""Bad input: one message, a failed run on record, nothing that was there before is touched."""

import gzip

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from making import PROJECT, mnist_folder

from ae_pipelines.base.errors import InputError


def fingerprint(data):
    return {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}


@pytest.fixture
def refused(monkeypatch, ran, mlflow_runs):
    """Run `kedro run --pipelines=train --params=...` after a good ingest; give what it printed."""
    data = ran("ingest")
    before = fingerprint(data)

    def refused(params):
        monkeypatch.chdir(PROJECT)
        bootstrap_project(PROJECT)
        from ae_pipelines.cli import run as command

        result = CliRunner().invoke(command, ["--pipelines=train", f"--params=data_dir={data},{params}"])
        assert result.exit_code == 1
        assert fingerprint(data) == before
        first, last = mlflow_runs()
        assert [first.info.status, last.info.status] == ["FINISHED", "FAILED"]
        assert last.data.tags["error"].startswith("InputError") or "DatasetError" in last.data.tags["error"]
        errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert errors[0].removeprefix("Error: ") in last.data.tags["error"]
        assert "Traceback" not in result.output
        assert not any("abc" in value for value in last.data.params.values())
        return errors[0]

    return refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("recipe=cnov", "Did you mean 'conv'?"),
        ("recipe=gan", "gan has no encoder, so embed cannot run: choose a method with one (autoencoder, siamese,"),
        ("recipe=gan", "or run without it, such as ingest and fit alone (kedro run --pipelines=ingest,fit)"),
        ("source=mnits", "Did you mean 'mnist'?"),
        ("recipe.training.epochs=-1", "recipe: training.epochs: given -1, but input should be greater than 0"),
        ("recipe=conv,recipe.training.epoch=1", "training.epoch: no such option"),
        ("recipe.model.net.kind=cnov", "no net called 'cnov'"),
        (
            "recipe.model.net.width=3",
            "net 'dense': width: no such option; known: activation, dropout, norm, tied, widths",
        ),
        (
            "recpie=conv",
            "no parameter called 'recpie'; known: classify, cluster, contrast, data_dir, detect, drift, embed, "
            "generate, ingest, model_name, promote, raw_dir, recipe, recognise, restore, score, scoreboard, "
            "search, source.",
        ),
        ("cluster.clusters=1", "cluster: clusters: given 1, but input should be greater than 1"),
        (
            "source=mnist,raw_dir=/nowhere",
            "no train-images-idx3-ubyte.gz in /nowhere/mnist, and it is not fetched because there is no folder",
        ),
    ],
)
def test_bad_parameters_are_refused_before_training(refused, params, message):
    assert message in refused(params)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"name": "colourise"}, r"greyscale takes images of 3 channels"),
        ({"name": "dense", "model": {"latent_size": 64}}, r"64 latents for samples of 64 values: autoencoder would"),
        ({"name": "sparse", "model": {"latent_activation": "none"}}, r"sparse_kl needs latents between 0 and 1"),
        ({"name": "siamese", "model": {"pairs": "views", "unseen_classes": 0}}, r"two corrupted views .* is empty"),
        ({"name": "stacked", "loader": {"corruptions": [{"kind": "downscale"}]}}, r"turn \(1, 8, 8\) into \(1, 4, 4\)"),
        ({"name": "gan", "model": {"net": {"kind": "conv", "latent": "map"}}}, r"gan needs latent vectors"),
    ],
)
def test_parts_that_do_not_go_together_are_refused_before_training(run, tmp_path, recipe, message):
    with pytest.raises(InputError, match=message):
        run("ingest", "fit", source="digits", recipe=recipe)
    assert not (tmp_path / "data/06_models").exists()


def test_a_truncated_idx_file_is_refused_and_the_samples_stay(refused, tmp_path):
    folder = tmp_path / "raw" / "mnist"
    mnist_folder(folder)
    images = folder / "train-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-1]))
    assert "short payload, 31 of 32 images" in refused(f"source=mnist,raw_dir={tmp_path / 'raw'}")


def test_something_like_a_secret_is_not_recorded(refused):
    assert "api_key looks like a secret" in refused("recipe.model.api_key=abc")


def test_an_error_whose_causes_go_round_in_a_circle_still_ends_the_run():
    from ae_pipelines.cli.command import _input_error

    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    assert _input_error(first) is None
    second.__cause__ = InputError("the reason")
    assert str(_input_error(first)) == "the reason"


def test_a_file_that_is_no_yaml_is_named_with_the_line():
    from yaml.parser import ParserError

    from ae_pipelines.cli.command import _input_error

    error = RuntimeError("configuration")
    error.__cause__ = ParserError("Invalid YAML or JSON file recipes/mine.yml, unable to read line 4, position 11.")
    assert "recipes/mine.yml, unable to read line 4, position 11. Mend that file" in str(_input_error(error))
