"""What the Makefile's commands start, with programs in place of those of .venv that note how they were called."""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from making import PROJECT

from ae_pipelines.project.typed import typed

NOTES = """#!/bin/sh
[ "$(basename "$0")$WORKS" != python1 ] || exec "$REAL" "$@"
{ printf '%s\\n' "$(basename "$0")"; printf '%s\\n' "$@"; echo; } >> "$NOTES"
exit "${FAILS:-0}"
"""
UNSET = ("DISPLAY", "WAYLAND_DISPLAY", "MAKEFLAGS", "SOURCE", "RECIPE", "DATA_DIR", "PARAMS", "SEED")
LOCK = PROJECT / "conf/tensorboard/requirements.lock"


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Any]:
    """Call make; gives how it ended, and what programs it called, each with its arguments. Python does work, and is not
    noted, with WORKS=1 in the environment."""
    programs, notes = tmp_path / "bin", tmp_path / "notes"
    programs.mkdir()
    for name in ("kedro", "tensorboard", "python"):
        (programs / name).write_text(NOTES)
        (programs / name).chmod(0o755)
    (tmp_path / "installed").touch()
    own = {name: value for name, value in os.environ.items() if name not in UNSET}

    def make(*arguments: str, **environment: str) -> tuple[subprocess.CompletedProcess, list[list[str]]]:
        notes.write_text("")
        ended = subprocess.run(
            ["make", "--no-print-directory", f"BIN={programs}", f"INSTALLED={tmp_path / 'installed'}", *arguments],
            cwd=PROJECT,
            env=own | {"NOTES": str(notes), "REAL": sys.executable, "PYTHONPATH": str(PROJECT / "src")} | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return ended, [call.split("\n") for call in notes.read_text().split("\n\n")[:-1]]

    return make


def given(call: list[str]) -> dict[str, Any]:
    """The parameters of a `kedro run`, as it reads them."""
    return typed(next(word for word in call if word.startswith("--params=")).removeprefix("--params="))


@pytest.mark.parametrize(
    ("command", "stages"), [("encode", "ingest,fit,embed"), ("embed", "projector"), ("query", "search")]
)
def test_each_command_runs_its_stages_on_what_is_asked_for(make, command, stages):
    _, (call, *_) = make(command, "SOURCE=mnist", "RECIPE=conv", "DATA_DIR=/tmp/x", "PARAMS=recipe.training.epochs=3")
    assert call[:3] == ["kedro", "run", f"--pipelines={stages}"]
    own = given(call)
    assert own.pop("search", {}).keys() == ({"random", "k", "seed"} if command == "query" else set())
    assert own == {"source": "mnist", "recipe": {"name": "conv", "training": {"epochs": "3"}}, "data_dir": "/tmp/x"}


def test_what_is_not_given_is_left_to_the_project(make):
    _, (call,) = make("encode")
    assert given(call) == {}


FOLDERS = ["/tmp/my data", "/tmp/it's", '/tmp/a, "b"=[c', "/tmp/a;echo b", "~/ü `c`  d", "$HOME/a$b"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_may_be_called_anything(make, folder):
    ended, (call,) = make("encode", f"DATA_DIR={folder}")
    assert ended.returncode == 0
    assert given(call) == {"data_dir": folder}


def test_a_query_is_another_one_each_time_and_can_be_repeated(make):
    asked = [given(make("query", *seed)[1][0])["search"]["seed"] for seed in ([], [], ["SEED=4"])]
    assert asked[0] != asked[1]
    assert asked[2] == "4"
    assert "SEED=4 repeats this one" in make("query", "SEED=4")[0].stdout


def test_all_runs_one_command_after_the_other_and_ends_where_one_fails(make, tmp_path):
    for name in ("report.html", "similar.png"):
        (tmp_path / "08_reporting").mkdir(exist_ok=True)
        (tmp_path / "08_reporting" / name).touch()
    ended, calls = make("all", "SOURCE=photos", f"DATA_DIR={tmp_path}", WORKS="1")
    assert ended.returncode == 0
    pipelines = ["ingest,fit,embed", "look", "projector", "search"]
    assert [call[2].removeprefix("--pipelines=") for call in calls] == pipelines
    assert all(given(call)["source"] == "photos" for call in calls)
    assert f"{tmp_path}/08_reporting/report.html" in ended.stdout.splitlines()
    assert ended.stdout.splitlines()[-1] == f"{tmp_path}/08_reporting/similar.png"
    ended, calls = make("all", FAILS="3")
    assert ended.returncode
    assert len(calls) == 1


def test_tensorboard_gets_the_folder_of_the_projector_itself_or_a_sentence_is_said(make, tmp_path):
    data = tmp_path / "my data"
    ended, calls = make("tb", f"DATA_DIR={data}", WORKS="1")
    assert ended.returncode
    assert not calls
    assert f"Error: there is no {data}/08_reporting/projector: make encode embed makes it" in ended.stderr.splitlines()
    (data / "08_reporting/projector").mkdir(parents=True)
    _, (call,) = make("tb", f"DATA_DIR={data}", "TB_PORT=7007", WORKS="1")
    assert call == ["tensorboard", f"--logdir={data}/08_reporting/projector", "--host=127.0.0.1", "--port=7007"]


def test_make_lock_knows_nothing_of_what_make_tb_adds(make):
    added = re.findall(r"^([\w-]+)==", LOCK.read_text(), re.MULTILINE)
    everyones = re.findall(r"^([\w-]+)==", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    assert "tensorboard" in added
    assert not set(added) & set(everyones)
    listed = make("--dry-run", "lock")[0].stdout
    assert all(f"--exclude={name} " in listed for name in added)


def test_the_extra_is_the_version_that_make_tb_installs():
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert extras["tensorboard"][0] in LOCK.read_text().splitlines()


def test_help_has_a_line_for_every_command(make):
    commands = re.search(r"^\.PHONY: (.*)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)[1].split()
    helped = make("help")[0].stdout
    assert [name for name in commands if not re.search(rf"^  make {name} +\S", helped, re.MULTILINE)] == []
