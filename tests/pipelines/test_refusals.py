"""Bad input: one message, a failed run on record, nothing that was there before is touched."""

import gzip

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from making import PROJECT, mnist_folder


def fingerprint(data):
    return {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}


@pytest.fixture
def refused(tmp_path, monkeypatch, run, mlflow_runs):
    """Run `kedro run --pipelines=train --params=...` after a good ingest; give what it printed."""
    data = run("ingest")
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
        assert "Traceback" not in result.output
        assert not any("abc" in value for value in last.data.params.values())
        return errors[0]

    return refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("recipe=cnov", "no recipe called 'cnov'; known: conv, course, denoising, dense. Did you mean 'conv'?"),
        ("source=mnits", "Did you mean 'mnist'?"),
        ("recipe.training.epochs=-1", "recipe: training.epochs: given -1, but input should be greater than 0"),
        ("recipe=conv,recipe.training.epoch=1", "training.epoch: no such option"),
        ("recipe.model.net.kind=cnov", "no net called 'cnov'"),
        ("recipe.model.net.width=3", "net 'dense': width: no such option; known: widths"),
        (
            "recpie=conv",
            "no parameter called 'recpie'; known: classify, cluster, data_dir, ingest, raw_dir, recipe, source. Did",
        ),
        ("cluster.clusters=1", "cluster: clusters: given 1, but input should be greater than 1"),
        (
            "source=mnist,raw_dir=/nowhere",
            "no train-images-idx3-ubyte.gz in /nowhere/mnist, and it is not fetched since there is no folder /nowhere",
        ),
    ],
)
def test_bad_parameters_are_refused_before_training(refused, params, message):
    assert message in refused(params)


def test_a_truncated_idx_file_is_refused_and_the_samples_stay(refused, tmp_path):
    folder = tmp_path / "raw" / "mnist"
    mnist_folder(folder)
    images = folder / "train-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(gzip.decompress(images.read_bytes())[:-1]))
    assert "short payload, 31 of 32 images" in refused(f"source=mnist,raw_dir={tmp_path / 'raw'}")


def test_something_like_a_secret_is_not_recorded(refused):
    assert "api_key looks like a secret" in refused("recipe.model.api_key=abc")
