"""`kedro run`, made easier in two ways: fields of a picked recipe can be overridden, and errors can be read."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from functools import partial
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import KedroCliError
from kedro.framework.project import pipelines, settings

from ae_pipelines.base.commands import go_to_project, told
from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.project.refusals import refusals
from ae_pipelines.project.runners import refuse_async, refuse_unknown_runner
from ae_pipelines.project.typed import typed

Callback = Callable[[click.Context, click.Parameter, Any], Any]
SKIP_EXIT_CODE = "ae_pipelines.skip_exit_code"
NAMES_OF_NODES = {"node_names", "from_nodes", "to_nodes"}
"""Options of `kedro run` that take names of nodes."""


def split_params(context: click.Context, parameter: click.Parameter, value: Any) -> dict[str, Any]:
    """`a=1,b.c=[2,3]` as nested values."""
    if isinstance(value, dict):
        return value
    try:
        return typed(value)
    except InputError as error:
        raise click.ClickException(told(str(error))) from error  # Kedro's own error loses its text here


def read_in_words(context: click.Context, parameter: click.Parameter, value: Any, read: Callback) -> Any:
    """What Kedro reads in an option; one message where it loses its own, or looks into a file as if that had to be
    right."""
    try:
        return read(context, parameter, value)
    except KedroCliError as error:
        raise click.BadParameter(told(error.message)) from error
    except click.ClickException:
        raise
    except Exception as error:
        expected = (
            "YAML with options of kedro run, such as run: {env: local}" if parameter.name == "config" else "names"
        )
        raise click.BadParameter(told(f"given {value}, expected {expected}")) from error


def keep_skip_exit_code(context: click.Context, parameter: click.Parameter, value: int) -> None:
    """Keep the value for `RunCommand.invoke`; Kedro has no such option."""
    context.meta[SKIP_EXIT_CODE] = value


class RunCommand(click.Command):
    """`kedro run` that answers bad input with one message instead of a traceback."""

    def make_context(self, *given: Any, **options: Any) -> click.Context:
        try:
            return super().make_context(*given, **options)
        except click.UsageError as error:  # it repeats what was given
            raise click.UsageError(told(error.format_message()), error.ctx) from error

    def invoke(self, context: click.Context) -> Any:
        # Both spellings stay supported here, so the old one needs no warning on every run.
        warnings.filterwarnings("ignore", message="Option '--pipeline' is deprecated")
        with refusals():
            refuse_async(context.params)
            refuse_unknown_runner(context.params)
            refuse_unknown_pipelines(context.params)
            for option in NAMES_OF_NODES & context.params.keys():
                if typed_names := context.params[option]:
                    context.params[option] = in_their_boxes(typed_names)
            result = super().invoke(context)
        if _nothing_to_do():
            context.exit(context.meta.get(SKIP_EXIT_CODE, 0))
        return result


def refuse_unknown_pipelines(given: Mapping[str, Any]) -> None:
    """`InputError` with the nearest name for a pipeline or a stage that there is not."""
    known = sorted(pipelines)
    for name in filter(None, [given.get("pipeline"), *(given.get("pipelines") or [])]):
        if name not in known:
            raise InputError(f"no pipeline or stage called {name!r}; {suggestion(name, known)}")


def in_their_boxes(names: Iterable[str]) -> list[str]:
    """Names of nodes as Kedro has them: `cluster.fit_pca_clusters` may be typed for `cluster.pca.fit_pca_clusters`."""
    nodes = [node for pipeline in pipelines.values() for node in pipeline.nodes if node.namespace]
    full = {f"{node.namespace_prefixes[0]}.{node.short_name}": node.name for node in nodes}
    return [full.get(name, name) for name in names]


def _nothing_to_do() -> bool:
    """Whether the run that has just ended had nothing to do."""
    from ae_pipelines.project.tracked import TrackingHook

    return any(hook.nothing_to_do for hook in settings.HOOKS if isinstance(hook, TrackingHook))


def _run_command() -> RunCommand:
    options = [copy(option) for option in kedro_run.params]
    for option in options:
        if option.name == "params":
            option.callback = split_params
        elif option.callback is not None:
            option.callback = partial(read_in_words, read=option.callback)
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
