"""Whatever is typed after `kedro run` is run, or refused in one sentence."""

import itertools
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import fuzzed
import pytest
from attacks import LONG, tries
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines.base.errors import LONGEST, caused_by
from ae_pipelines.cli import run as command
from ae_pipelines.project import tracked

SEED = 20
PIPELINES = ("train", "ingest", "tune", "scoreboard", "score", "look", "search", "compare", "generate")
SLOW = 60.0
"""Seconds after which something hangs."""


class WouldWork(Exception):
    """All that is checked before the first node has passed."""


@dataclass(frozen=True)
class Answer:
    """What came of a command."""

    typed: str
    code: int
    output: str
    error: BaseException | None
    seconds: float

    @property
    def worked(self) -> bool:
        return self.code == 0 or any(isinstance(cause, WouldWork) for cause in caused_by(self.error))

    @property
    def traceback(self) -> bool:
        raised = self.error is not None and not isinstance(self.error, SystemExit)
        return not self.worked and (raised or "Traceback" in self.output)

    @property
    def one_sentence(self) -> bool:
        said = [line for line in self.output.splitlines() if line.startswith("Error: ")]
        return self.worked or (len(said) == 1 and len(self.output) < LONGEST + 500)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project, whose runs end where the first node would begin."""

    def would_work(*_, **__):
        raise WouldWork

    (tmp_path / "src").mkdir()  # the package is imported already
    for name in ("pyproject.toml", "conf"):
        (tmp_path / name).symlink_to(PROJECT / name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(tracked, "open_run", would_work)
    monkeypatch.chdir(tmp_path)
    bootstrap_project(tmp_path)
    return tmp_path


def asked(*words: str) -> Answer:
    started = time.monotonic()
    result = CliRunner().invoke(command, [*words])
    return Answer(repr(words)[:200], result.exit_code, result.output, result.exception, time.monotonic() - started)


def judge(record, attack: str, answers: list[Answer]) -> None:
    bad = {
        "traceback": [answer.typed for answer in answers if answer.traceback],
        "hang": [answer.typed for answer in answers if answer.seconds > SLOW],
        "not one sentence": [answer.typed for answer in answers if not answer.traceback and not answer.one_sentence],
    }
    worked = sum(answer.worked for answer in answers)
    record(attack, len(answers), {what: len(which) for what, which in bad.items()}, f"{worked} would have been run")
    assert not any(bad.values()), bad


def test_random_params_are_run_or_refused_in_one_sentence(project, record):
    texts = itertools.islice(fuzzed.texts(SEED), tries(25, 500))
    pipelines = itertools.cycle(PIPELINES)
    answers = [asked(f"--pipelines={name}", f"--params={text}") for name, text in zip(pipelines, texts, strict=False)]
    judge(record, "random --params", answers)
    assert any(answer.worked for answer in answers)


def test_random_options_are_run_or_refused_in_one_sentence(project, record):
    words = itertools.islice(fuzzed.options(SEED), tries(10, 200))
    judge(record, "random options of kedro run", [asked("--pipelines=ingest", word) for word in words])


@pytest.mark.skipif(not LONG, reason="a process takes seconds: make survive")
def test_random_params_in_processes_of_their_own(project, record):
    """From the first letter to the exit status, with whatever a node does with them."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src")}
    answers = []
    for text in itertools.islice(filter(_can_be_passed, fuzzed.texts(SEED + 1)), 20):
        words = [sys.executable, "-m", "ae_pipelines", f"--project-path={project}", "--pipelines=ingest"]
        started = time.monotonic()
        try:
            done = subprocess.run(
                [*words, f"--params={text}"], env=environment, capture_output=True, text=True, timeout=SLOW
            )
            code, output = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired:
            code, output = 1, "Error: none"
        answers.append(Answer(text[:200], code, output, None, time.monotonic() - started))
    judge(record, "random --params in processes", answers)


def _can_be_passed(text: str) -> bool:
    """No process can be given these letters."""
    return "\0" not in text and text.isprintable() and len(text) < 100_000
