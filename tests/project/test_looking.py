"""Where what a run has made is found and shown."""

import pytest
from click.testing import CliRunner
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.project import looking


@pytest.fixture
def opened(monkeypatch):
    """Addresses that a browser was asked to open."""
    calls = []
    monkeypatch.setattr(looking.subprocess, "Popen", lambda command, **_: calls.append(command[-1]))
    return calls


@pytest.mark.parametrize(
    ("environment", "platform", "screen"),
    [
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0", "SSH_CONNECTION": "1"}, "linux", True),
        ({}, "darwin", True),
        ({"SSH_CONNECTION": "::1 1 ::1 22"}, "darwin", False),
    ],
)
def test_a_browser_needs_a_screen(environment, platform, screen):
    assert looking.has_screen(environment, platform) is screen


@pytest.mark.parametrize(("display", "times"), [(":0", 1), ("", 0)])
def test_a_page_is_opened_where_there_is_a_screen_and_its_path_is_printed_in_any_case(
    opened, monkeypatch, tmp_path, display, times
):
    monkeypatch.setattr(looking.sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.chdir(PROJECT)
    page = tmp_path / "a page.html"
    page.touch()
    answer = CliRunner().invoke(looking.main, [f"--data-dir={tmp_path}", "--made-by=make viz", "--open", page.name])
    assert answer.output == f"{page}\n"
    assert opened == [page.as_uri()] * times


def test_data_folders_are_those_that_kedro_run_writes_to(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x").mkdir()
    assert looking.place(PROJECT, "~", "x", "make viz") == tmp_path / "x"
    with pytest.raises(InputError, match=f"there is no {PROJECT}/data/no/page.html: make viz makes it"):
        looking.place(PROJECT, None, "no/page.html", "make viz")
