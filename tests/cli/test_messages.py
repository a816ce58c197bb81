"""What `kedro run` says in one message instead of a traceback."""

import shutil

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
        (["--config=/dev/null"], "given /dev/null, expected YAML"),
        (["--load-versions=a"], "load_versions"),
        (["--load-versions=a:b"], "'load_versions' keys [a] are not found in the catalog"),
        (["--conf-source=s3://a/b"], "the configuration cannot be read: Install s3fs"),
        (["--params=source.type=os.system"], "source.type: it is the catalog's"),
        (["--params=source.kind={a: 1}"], "kind: given {'a': '1'}, but input should be a valid string"),
        (
            ["--params=data_dir='/a{b}'"],
            "data_dir: given /a{b}, expected a text without braces: Kedro takes them for a pattern",
        ),
        (["--params=data_dir=X,data_dir.x=a"], "data_dir: given {'name': 'X', 'x': 'a'}, expected a text"),
    ],
)
def test_options_that_cannot_be_followed_are_refused_in_one_sentence(said, words, message):
    assert message in said("--pipelines=ingest", *words)


def test_a_message_is_no_longer_than_somebody_reads(said):
    assert len(said(f"--pipelines={'a' * 10_000}")) < 3000
    assert len(said("--pipelines=ingest", f"--conf-source={'a' * 10_000}")) < 3000


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "Mend that file: it is part of the configuration"),
        ("cluster: ${globals:nowhere}", "the configuration cannot be read: "),
        ("cluster: ${", "the configuration cannot be read: "),
        ("cluster: 1\n---\ncluster: 2", "Mend that file"),
        ("[1, 2]", "the configuration cannot be read: "),
    ],
)
def test_a_broken_file_of_the_configuration_is_refused_in_one_sentence(said, tmp_path, text, message):
    shutil.copytree(PROJECT / "conf", tmp_path / "conf")
    (tmp_path / "conf/test/parameters.yml").write_text(text)
    assert message in said("--pipelines=ingest", f"--conf-source={tmp_path / 'conf'}")
