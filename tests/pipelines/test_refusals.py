"""Bad input: one message, nothing that was there before is touched, and a failed run on record if work had begun."""

import gzip
import re

import pytest
from click.testing import CliRunner
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.runner import ThreadRunner
from making import PROJECT, mnist_folder

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.locking import Taken, only_run


def fingerprint(data):
    return {path: path.stat().st_mtime_ns for path in data.rglob("*") if path.is_file()}


@pytest.fixture
def refused(monkeypatch, ran, mlflow_runs):
    """Run `kedro run --pipelines=train --params=...` after a good ingest; give what it printed."""
    data = ran("ingest")
    before = fingerprint(data)

    def refused(params, *words, begun=False):
        monkeypatch.chdir(PROJECT)
        bootstrap_project(PROJECT)
        from ae_pipelines.cli import run as command

        given = words or ("--pipelines=train",)
        result = CliRunner().invoke(command, [*given, f"--params=data_dir={data},{params}"])
        assert result.exit_code == 1
        assert fingerprint(data) == before
        errors = [line for line in result.output.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1
        assert "Traceback" not in result.output
        assert "previous command" not in result.output
        first, *later = mlflow_runs()
        assert [first.info.status, *(run.info.status for run in later)] == ["FINISHED", "FAILED"][: 1 + begun]
        for last in later:
            assert last.data.tags["error"].startswith("InputError") or "DatasetError" in last.data.tags["error"]
            assert errors[0].removeprefix("Error: ") in last.data.tags["error"]
        return errors[0]

    return refused


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("recipe=cnov", "Did you mean 'conv'?"),
        ("recipe", "--params: given 'recipe', expected name=value"),
        ("recipe=conv,recipe=vae", "--params: recipe is given twice, as conv and as vae"),
        ("recipe=gan", "gan has no encoder, so embed cannot run: choose a method with one (autoencoder, joined,"),
        (
            "recipe=gan",
            "such as ingest and fit alone (kedro run --pipelines=ingest,fit, with the same --params)",
        ),
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
            "no parameter called 'recpie'; known: classify, cluster, compare, contrast, data_dir, detect, drift, "
            "embed, generate, ingest, model_name, projector, promote, raw_dir, recipe, recipes_dir, recognise, report, "
            "restore, score, scoreboard, search, source, tune.",
        ),
        ("cluster.clusters=1", "cluster: clusters: given 1, but input should be greater than 1"),
        ("raw_dir=$AE_NOWHERE/x", "raw_dir: given '$AE_NOWHERE/x', but there is no environment variable AE_NOWHERE"),
        ("source=table,source.path=/nowhere.csv", "no file /nowhere.csv: give a .csv"),
        ("model_name=it's", 'model_name: given "it\'s", expected letters, digits, spaces and _ . - only'),
        ("model_name=a/b", "model_name: given 'a/b', expected letters"),
    ],
)
def test_bad_parameters_are_refused_before_any_work_and_leave_no_run(refused, params, message):
    assert message in refused(params)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--pipeline=trian", "no pipeline or stage called 'trian'; known: .*Did you mean 'train'"),
        ("--pipelines=ingest,fti", "no pipeline or stage called 'fti'; known: .*Did you mean 'fit'"),
        ("--nodes=fit_clutsers", "Pipeline does not contain nodes named"),
        ("--namespaces=clutser", "Pipeline does not contain nodes with the following namespaces"),
    ],
)
def test_names_that_there_are_not_are_refused_and_leave_no_run(refused, words, message):
    given = [words] if words.startswith("--pipeline") else ["--pipelines=train", words]
    assert re.search(message, refused("recipe=dense", *given))


@pytest.mark.parametrize("stage", ["search", "projector", "look"])
def test_what_needs_latents_says_how_they_are_made(refused, stage):
    error = refused("source=digits", f"--pipelines={stage}")
    assert "no latents in " in error
    assert error.endswith(
        "run ingest, fit and embed first (kedro run --pipelines=ingest,fit,embed, with the same --params)"
    )


def test_a_refusal_after_work_has_begun_is_on_record(refused):
    message = refused("source=mnist,raw_dir=/nowhere", begun=True)
    assert "no train-images-idx3-ubyte.gz in /nowhere/mnist, and it is not fetched because there is no" in message


def test_a_refusal_is_on_record_in_a_run_that_is_shared(monkeypatch, run, mlflow_runs):
    monkeypatch.setenv("AE_RUN", "nightly/1")
    with pytest.raises(InputError, match="Did you mean 'conv'"):
        run("ingest", recipe="cnov")
    (shared,) = mlflow_runs()
    assert shared.info.status == "FAILED"
    assert "cnov" in shared.data.tags["error"]


def test_so_is_one_before_kedro_looks_for_the_first_node(monkeypatch, tmp_path, mlflow_runs):
    monkeypatch.setenv("AE_RUN", "nightly/1")
    bootstrap_project(PROJECT)
    given = {"data_dir": str(tmp_path / "data")}
    with (
        KedroSession.create(project_path=PROJECT, runtime_params=given) as session,
        pytest.raises(InputError, match="ThreadRunner"),
    ):
        session.run(pipeline_names=["ingest"], runner=ThreadRunner())
    (shared,) = mlflow_runs()
    assert shared.info.status == "FAILED"
    assert "ThreadRunner" in shared.data.tags["error"]


def test_what_finds_its_folder_taken_leaves_nothing_and_the_run_that_is_shared_as_it_is(
    tmp_path, monkeypatch, run, mlflow_runs
):
    with only_run(tmp_path / "data", "train"), pytest.raises(Taken, match="another run"):
        run("ingest")
    assert mlflow_runs() == []
    monkeypatch.setenv("AE_RUN", "nightly/1")
    run("ingest")
    with only_run(tmp_path / "data", "train"), pytest.raises(Taken, match="another run"):
        run("ingest")
    (shared,) = mlflow_runs()
    assert shared.info.status == "RUNNING"
    assert "error" not in shared.data.tags


def test_a_run_whose_outputs_are_all_there_has_nothing_to_do_and_says_so(ran, mlflow_runs, monkeypatch):
    data = ran("ingest")
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)
    from ae_pipelines.cli import run as command

    given = ["--pipelines=ingest", "--only-missing-outputs", "--skip-exit-code=9", f"--params=data_dir={data}"]
    result = CliRunner().invoke(command, given)
    assert (result.exit_code, len(mlflow_runs())) == (9, 1)
    assert "nothing to do: all that was asked for is there" in result.output


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
    assert "short payload, 31 of 32 images" in refused(f"source=mnist,raw_dir={tmp_path / 'raw'}", begun=True)


def test_something_like_a_secret_is_not_recorded(refused):
    assert "api_key looks like a secret" in refused("recipe.model.api_key=abc")  # which leaves no run at all


def test_an_error_whose_causes_go_round_in_a_circle_still_ends_the_run():
    from ae_pipelines.project.refusals import input_error

    first, second = ValueError("first"), ValueError("second")
    first.__context__, second.__context__ = second, first
    assert input_error(first) is None
    second.__cause__ = InputError("the reason")
    assert str(input_error(first)) == "the reason"


def test_a_file_that_is_no_yaml_is_named_with_the_line():
    from yaml.parser import ParserError

    from ae_pipelines.project.refusals import input_error

    error = RuntimeError("configuration")
    error.__cause__ = ParserError("Invalid YAML or JSON file recipes/mine.yml, unable to read line 4, position 11.")
    assert "recipes/mine.yml, unable to read line 4, position 11. Mend that file" in str(input_error(error))
