"""`python -m ae_pipelines.recipes`: every recipe; `... show <recipe>`: all of one; `... check <recipe>`: does it fit?

Nothing is trained, and nothing is written. A list needs neither Kedro nor torch, which are imported by what does.
"""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ae_pipelines.base import commands
from ae_pipelines.base.commands import go_to_project
from ae_pipelines.base.errors import InputError
from ae_pipelines.recipes.heads import Head, heads
from ae_pipelines.recipes.listing import as_data, as_text

CONFIGURATION = Path("conf")
"""Below the project's folder."""


class Commands(click.Group):
    """Commands, of which one that is not known may be a recipe's name."""

    def resolve_command(self, context: click.Context, given: list[str]) -> Any:
        with refusals():
            recipes = {head.name for head in _heads()}
        if given[0] not in self.commands and given[0] in recipes:
            context.fail(f"{given[0]} is a recipe: type show {given[0]}, or check {given[0]}")
        return super().resolve_command(context, given)


@click.group(cls=Commands, invoke_without_command=True)
@click.option(
    "--project-path",
    type=click.Path(exists=True, file_okay=False, resolve_path=True),
    default=".",
    is_eager=True,
    expose_value=False,
    callback=go_to_project,
    help="Folder of the project, when started elsewhere.",
)
@click.option("--json", "for_programs", is_flag=True, help="The list as JSON.")
@click.pass_context
def main(context: click.Context, for_programs: bool) -> None:
    """List every recipe, or show one, or check whether one fits."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    if context.invoked_subcommand is None:
        with refusals():
            found = _heads()
        click.echo(json.dumps(as_data(found), ensure_ascii=False, indent=2) if for_programs else as_text(found))


def of_a_recipe(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options that both commands have."""
    for decorate in (
        click.option("--params", default="", help="Fields to change, as after kedro run."),
        click.option("--shape", help="Samples of this shape: channels,height,width, or a number of features."),
        click.option("--source", help="Samples of this source; none: the recipe's, or the project's."),
        click.argument("recipe"),
    ):
        command = decorate(command)
    return command


@main.command()
@of_a_recipe
def show(recipe: str, source: str | None, shape: str | None, params: str) -> None:
    """All options of RECIPE with their defaults, and its model layer by layer."""
    with refusals():
        from ae_pipelines.recipes.picked import CLASSES, SHAPES, USUAL_SHAPE, Picked, of_shape
        from ae_pipelines.recipes.shown import as_table, as_yaml
        from ae_pipelines.training.layers import outline

        picked = Picked.of(recipe, source, params, CONFIGURATION)
        head = next((one for one in _heads() if one.name == picked.recipe.name), None)
        click.echo(as_yaml(picked.recipe, head) + "\n")
        if shape is not None:
            spec, whose = of_shape(shape), "samples of this shape"
        elif picked.names_source:
            spec, whose = picked.spec(), picked.source_name
        else:
            usual = SHAPES.get("" if head is None else head.data, USUAL_SHAPE)
            spec, whose = of_shape(",".join(map(str, usual))), "images (give --source or --shape for others)"
        classes = CLASSES if shape is not None or picked.samples is None else picked.samples.classes()
        click.echo(as_table(picked.recipe, outline(picked.recipe, spec, classes), spec, whose))


@main.command()
@of_a_recipe
def check(recipe: str, source: str | None, shape: str | None, params: str) -> None:
    """Whether RECIPE fits samples: what a run would refuse, or warn of, before it trains."""
    with refusals():
        from ae_pipelines.recipes import checked
        from ae_pipelines.recipes.picked import Picked, of_shape

        picked = Picked.of(recipe, source, params, CONFIGURATION)
        found = checked.check(picked, None if shape is None else of_shape(shape))
        whose = "" if shape is not None else f"{picked.source_name}: "
        click.echo(f"{picked.recipe.name} fits {whose}{found.samples}")
        for caution in found.cautions:
            click.echo(f"caution: {caution}")


def _heads() -> list[Head]:
    found = heads(CONFIGURATION, os.environ.get("KEDRO_ENV", "local"))
    if not found:
        raise InputError(
            f"no recipes in {CONFIGURATION.resolve()}: start in the folder that holds conf/, or give --project-path"
        )
    return found


@contextmanager
def refusals() -> Iterator[None]:
    """One message for bad input, instead of a traceback; Kedro, and what is said of its errors, once something went
    wrong."""

    def said(error: BaseException) -> InputError | None:
        from ae_pipelines.project.refusals import input_error

        return input_error(error)

    def with_commands(refusal: InputError) -> str:
        from ae_pipelines.project.advice import advised

        return advised(refusal)

    with commands.refusals(said, with_commands):
        yield


if __name__ == "__main__":
    main(prog_name="python -m ae_pipelines.recipes")
