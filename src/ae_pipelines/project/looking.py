"""`python -m ae_pipelines.project.looking --data-dir=<folder> <file in it>`: where to find what a run has made.

It prints the path, and with `--open` shows a page or a picture to whoever sits before a screen.
"""

import os
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import click

from ae_pipelines.base.errors import InputError


def place(project: Path, data_dir: str | None, name: str, command: str) -> Path:
    """A file or folder that a run has made in its data folder, by default the project's; `InputError` if it is not
    there, with the command that makes it."""
    from ae_pipelines.project.configuration import ConfigLoader

    given = {"data_dir": data_dir} if data_dir else {}
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # as in settings: Kedro's own
        loader = ConfigLoader(str(project / "conf"), None, given, base_env="base", default_run_env="local")
    path = (project / loader.data_dir / name).resolve()
    if not path.exists():
        raise InputError(f"there is no {path}: {command} makes it")
    return path


def show(path: Path) -> None:
    """Open a file in a browser of its own, which nobody waits for."""
    command = [sys.executable, "-m", "webbrowser", path.as_uri()]
    nothing = subprocess.DEVNULL
    subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True)


def has_screen(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser would find a screen: elsewhere it may fail, or be one in text that waits for keys."""
    if platform in ("darwin", "win32"):
        return "SSH_CONNECTION" not in environment
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


@click.command()
@click.option("--data-dir", help="The run's data folder; none: the project's.")
@click.option("--made-by", "command", required=True, help="The command that makes it.")
@click.option("--open", "opened", is_flag=True, help="Open it in a browser, where there is a screen.")
@click.argument("name")
def main(data_dir: str | None, command: str, opened: bool, name: str) -> None:
    """Print where NAME lies in a data folder."""
    from ae_pipelines.project.refusals import refusals

    with refusals():
        path = place(Path.cwd(), data_dir, name, command)
    click.echo(path)
    if opened and has_screen(os.environ, sys.platform):
        show(path)


if __name__ == "__main__":
    main()
