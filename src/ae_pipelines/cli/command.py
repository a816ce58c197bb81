"""`kedro run`, made easier in two ways: fields of a picked recipe can be overridden, and errors can be read."""

import os
import warnings
from collections.abc import Iterator
from copy import copy
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import settings
from omegaconf import OmegaConf
from yaml import YAMLError  # type: ignore[import-untyped]

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.advice import advised, caused_by

SKIP_EXIT_CODE = "ae_pipelines.skip_exit_code"


def split_params(context: click.Context, parameter: click.Parameter, value: Any) -> dict[str, Any]:
    """`a=1,b.c=[2,3]` as nested values. Where both `recipe=conv` and `recipe.…=…` are given, the first is
    read as `recipe.name=conv`, so that neither is lost."""
    if isinstance(value, dict):
        return value
    items = [item.strip() for item in _items(value) if item.strip()]
    pairs = [item.partition("=") for item in items]
    for key, equals, _ in pairs:
        if not (key.strip() and equals):
            raise KedroCliError(f"--params: given {key!r}, expected name=value[,name=value...]")
    keys = [key.strip() for key, _, _ in pairs]
    picked = {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    names = [f"{key}.name" if key in picked else key for key in keys]
    dotted = OmegaConf.from_dotlist([f"{name}={text}" for name, (_, _, text) in zip(names, pairs, strict=True)])
    return OmegaConf.to_container(dotted)  # type: ignore[return-value]


def _items(text: str) -> Iterator[str]:
    """The pieces between commas that are outside brackets."""
    depth = start = 0
    for place, letter in enumerate(text):
        depth += (letter in "[{") - (letter in "]}")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]


def go_to_project(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """Run as if started in the project's folder."""
    if value:
        os.chdir(value)


def keep_skip_exit_code(context: click.Context, parameter: click.Parameter, value: int) -> None:
    """Keep the value for `RunCommand.invoke`; Kedro has no such option."""
    context.meta[SKIP_EXIT_CODE] = value


class RunCommand(click.Command):
    """`kedro run` that answers bad input with one message instead of a traceback."""

    def invoke(self, context: click.Context) -> Any:
        # Both spellings stay supported here, so the old one needs no warning on every run.
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        try:
            result = super().invoke(context)
        except Exception as error:
            if (refusal := _input_error(error)) is None:
                raise
            raise click.ClickException(advised(refusal)) from error
        if _nothing_to_do():
            context.exit(context.meta.get(SKIP_EXIT_CODE, 0))
        return result


def _nothing_to_do() -> bool:
    """Whether the run that has just ended had nothing to do."""
    from ae_pipelines.project.hooks import TrackingHook

    return any(hook.nothing_to_do for hook in settings.HOOKS if isinstance(hook, TrackingHook))


def _input_error(exception: BaseException) -> InputError | None:
    """The `InputError` that an exception is or was caused by."""
    for error in caused_by(exception):
        if isinstance(error, InputError):
            return error
        if isinstance(error, YAMLError):
            return InputError(f"{error} Mend that file: it is part of the configuration")
        if isinstance(error, MissingConfigException):
            return InputError(f"{error}: start in the folder that holds conf/, or give --project-path")
    return None


def _run_command() -> RunCommand:
    options = [copy(option) for option in kedro_run.params]
    for option in options:
        if option.name == "params":
            option.callback = split_params
    options.append(
        click.Option(
            ["--project-path"],
            type=click.Path(exists=True, file_okay=False, resolve_path=True),
            is_eager=True,
            expose_value=False,
            callback=go_to_project,
            help="Folder of the project, when started elsewhere.",
        )
    )
    options.append(
        click.Option(
            ["--skip-exit-code"],
            type=click.IntRange(0, 255),
            default=0,
            expose_value=False,
            callback=keep_skip_exit_code,
            help="Exit status when there was nothing to do, for an orchestrator that tells skipped from done.",
        )
    )
    return RunCommand("run", callback=kedro_run.callback, params=options, help=kedro_run.help)


run = _run_command()


@click.group(name="ae_pipelines")
def cli() -> None:
    """Commands of this project."""


cli.add_command(run)
