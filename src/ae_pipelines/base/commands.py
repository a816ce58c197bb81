"""What the project's commands have in common: where they start, and how they refuse."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ae_pipelines.base.errors import InputError, shortened
from ae_pipelines.base.failures import refusal_in
from ae_pipelines.base.secrets import without_secrets


def go_to_project(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    """The callback of an option: start as if in this folder."""
    if value:
        try:
            os.chdir(value)
        except OSError as error:
            raise click.BadParameter(f"{error}: give the folder that holds conf/") from error


@contextmanager
def refusals(
    said: Callable[[BaseException], InputError | None] = refusal_in, advised: Callable[[InputError], str] = str
) -> Iterator[None]:
    """Within this block an error ends in one message and exit code 1, not in a traceback, if `said` knows what to tell
    of it; `advised` adds what to type."""
    try:
        yield
    except click.ClickException:
        raise
    except Exception as error:
        if (refusal := said(error)) is None:
            raise
        raise click.ClickException(told(advised(refusal))) from error


def told(message: str) -> str:
    """A message as it is shown and recorded: neither endless, nor with secrets in it."""
    return shortened(without_secrets(message))
