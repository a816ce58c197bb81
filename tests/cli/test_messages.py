"""What `kedro run` says in one message instead of a traceback."""

import click
import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines.cli import run as command


@pytest.fixture
def said(monkeypatch):
    """What `kedro run` says to these words."""
    monkeypatch.chdir(PROJECT)
    bootstrap_project(PROJECT)

    def said(*words):
        result = CliRunner().invoke(command, [*words])
        assert isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code != 0
        return result.output

    return said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--env=tets"], "no environment called 'tets' in "),
        (["--env=tets"], "Did you mean 'test'?"),
        (["--project-path=/"], "start in the folder that holds conf/, or give --project-path"),
        (["--project-path=/dev/null"], "Not a directory: '/dev/null': give the folder that holds conf/"),
        (["--runner=Sequential"], "no runner called 'Sequential': leave --runner out, or give SequentialRunner"),
        (["--runner=os.system"], "no runner called 'os.system'"),
        (["--config=pyproject.toml"], "pyproject.toml, expected YAML with options of kedro run"),
        (["--config=/dev/null"], "--config: given /dev/null, expected YAML"),
        (["--params=data_dir=X,data_dir.x=a"], "data_dir: given {'name': 'X', 'x': 'a'}, expected a text"),
    ],
)
def test_options_that_cannot_be_followed_are_refused_in_one_sentence(said, words, message):
    assert message in said("--pipelines=ingest", *words)


def test_a_message_is_no_longer_than_somebody_reads(said):
    assert len(said(f"--pipelines={'a' * 10_000}")) < 3000


def test_what_is_refused_does_not_repeat_a_secret(said):
    key = "AKIA" + "Q" * 16
    for given in (f"recipe.training.epochs={key}", f"recipe=s3://me:{key}@host", f"recipe.pwd={key}"):
        output = said("--pipelines=ingest", f"--params={given}")
        assert "looks like a secret, and parameters are recorded" in output
        assert key not in output
    assert key not in said("--pipelines=ingest", f"--params={key}")
    assert key not in said(f"--pipelines={key}")


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch):
    bootstrap_project(PROJECT)

    def broken(**given):
        raise KeyError("a mistake")

    monkeypatch.setattr(command, "callback", broken)
    result = CliRunner().invoke(command, [])
    assert isinstance(result.exception, KeyError)
    assert not isinstance(result.exception, click.ClickException)
