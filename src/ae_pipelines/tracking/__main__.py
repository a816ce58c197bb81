"""`python -m ae_pipelines.tracking <command>`: look after the registered models, and close runs.

`champions` lists versions, `promote` and `rollback` move the alias, `prune` removes old versions, `name` says which
model is meant, `key` makes keys to sign versions with. Without a command, `--run=<name> --status=FINISHED` closes
a run that several processes shared.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ae_pipelines.base.commands import refusals
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.failures import refusal_in
from ae_pipelines.scoring import signing
from ae_pipelines.tracking.runs import close_shared
from ae_pipelines.tracking.store import alone, client_of, said_by_mlflow
from ae_pipelines.tracking.versions import pruning
from ae_pipelines.tracking.versions.champions import Champions
from ae_pipelines.tracking.versions.registered import name_of, refuse_unregistered, versions_of_each


class Commands(click.Group):
    """Commands that answer bad input with one message."""

    def invoke(self, context: click.Context) -> Any:
        with refusals(_said, _advised):
            return super().invoke(context)


def _said(error: BaseException) -> InputError | None:
    if (refusal := refusal_in(error)) is None and (said := said_by_mlflow(error)) is not None:
        return InputError(said)
    return refusal


def _advised(refusal: InputError) -> str:
    return f"{refusal}{' (--model-name=...)' if 'model_name' in refusal.options else ''}"


def _here_or_there(context: click.Context, _: click.Parameter, value: Path | None) -> Path:
    """The folder that is given after the command, else before it, else this one."""
    before = context.parent.params.get("project_path") if context.parent else None
    return Path(value or before or Path.cwd())


project_path = click.option(
    "--project-path",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    callback=_here_or_there,
    help="Folder of the project, whose MLflow store is used unless MLFLOW_TRACKING_URI names another.",
)


def of_a_model(command: Callable[..., None]) -> Callable[..., None]:
    """A command on the versions of a registered model."""
    name = click.option("--model-name", help="Of the registered model; not needed where there is only one.")
    alias = click.option("--alias", default="champion", show_default=True, help="Which alias is looked at, or moved.")
    return project_path(name(alias(command)))


@click.group(cls=Commands, invoke_without_command=True)
@project_path
@click.option("--run", help="What AE_RUN was for the processes that shared it.")
@click.option("--status", type=click.Choice(["FINISHED", "FAILED", "KILLED"]))
@click.pass_context
def main(context: click.Context, project_path: Path, run: str | None, status: str | None) -> None:
    """Look after the registered models; without a command, close the MLflow run that several processes shared."""
    if context.invoked_subcommand is not None:
        return
    if run is None or status is None:
        raise click.UsageError("give a command, or --run and --status")
    found = close_shared(project_path, run, status)
    click.echo(f"MLflow run {found} of {run} is {status}" if found else f"no MLflow run of {run}: nothing was recorded")


@main.command()
@of_a_model
def champions(project_path: Path, model_name: str | None, alias: str) -> None:
    """List versions and what changed.

    Of one model, or of all: which version is champion, since when, of which samples and with which metrics.
    """
    from ae_pipelines.tracking.versions.listing import listed  # which imports torch

    client = client_of(project_path)
    if model_name is not None:
        refuse_unregistered(client, model_name)
    every = versions_of_each(client)
    if not every:
        raise InputError("no model is registered: run train first")
    for name in [model_name] if model_name else every:
        click.echo(name)
        for version in listed(client, name, every[name], alias):
            click.echo("\n".join(version.lines()))


@main.command()
@click.argument("version", type=click.IntRange(min=1))
@of_a_model
def promote(project_path: Path, model_name: str | None, alias: str, version: int) -> None:
    """Make a version champion by hand.

    Whatever its metrics are; it is verified first.
    """
    client, name = _chosen(project_path, model_name)
    _verify(project_path, name, version)
    with alone(project_path):
        Champions(client, name, alias).promote(version)
    click.echo(f"{name}: version {version} is {alias} now")


@main.command()
@click.option("--to", type=click.IntRange(min=1), help="An earlier champion; by default the one before.")
@of_a_model
def rollback(project_path: Path, model_name: str | None, alias: str, to: int | None) -> None:
    """Make the champion before champion again.

    What is taken from its place is not put there again by itself; `promote` does it.
    """
    client, name = _chosen(project_path, model_name)
    known = Champions(client, name, alias)
    with alone(project_path):
        _verify(project_path, name, known.before(to))
        version = known.roll_back(to)
    click.echo(f"{name}: version {version} is {alias} again")


@main.command()
@click.option("--keep", type=click.IntRange(min=1), required=True, help="How many of the newest stay.")
@click.option("--runs", is_flag=True, help="Also remove runs that made no version, but the newest of them.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@of_a_model
def prune(project_path: Path, model_name: str | None, alias: str, keep: int, runs: bool, dry_run: bool) -> None:
    """Remove old versions and their runs.

    With their files; none that has an alias, nor the champion before the present one.
    """
    client, name = _chosen(project_path, model_name)
    with alone(project_path):
        going = pruning.leaving(client, name, versions_of_each(client)[name], keep, alias)
        others = pruning.leaving_runs(client, keep) if runs else []
        for one in going:
            size = "its files are not here" if one.bytes is None else f"{one.bytes / 1e6:.1f} MB"
            with_run = f" and run {one.run.info.run_id}" if one.run is not None and one.with_run else ""
            click.echo(f"{name} version {one.version.version}{with_run}: {size}")
        for other in others:
            click.echo(f"run {other.run.info.run_id} ({other.run.info.run_name}): {other.bytes / 1e6:.1f} MB")
        free = sum(one.bytes or 0 for one in going) / 1e6 + sum(other.bytes for other in others) / 1e6
        for told in [] if dry_run else pruning.prune(client, going, others):
            click.echo(told)
    what = f"{len(going)} versions" + (f", {len(others)} runs that made none" if runs else "")
    click.echo(f"{what}, {free:.1f} MB {'would be' if dry_run else 'are'} removed")


@main.command()
@of_a_model
def name(project_path: Path, model_name: str | None, alias: str) -> None:
    """Say which registered model is meant.

    Where none is named, the only one. Refused if no version of it has the alias.
    """
    client, found = _chosen(project_path, model_name or None)
    if Champions(client, found, alias).current is None:
        raise InputError(
            f"no version of {found!r} is called {alias!r}: `champions` lists them, `promote <version>` calls one so"
        )
    click.echo(found)


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def key(file: Path) -> None:
    """Make keys to sign versions with.

    FILE signs versions (AE_SIGNING_KEY), FILE.pub verifies them (AE_VERIFY_KEY).
    """
    public = signing.new_keys(file)
    click.echo(f"{file}: the private key, for {signing.SIGNS}; keep it where only training can read it")
    click.echo(f"{public}: the public key, for {signing.VERIFIES}, wherever versions are opened")


def _chosen(project: Path, model_name: str | None) -> tuple[Any, str]:
    client = client_of(project)
    if model_name is None:
        return client, name_of(client)
    refuse_unregistered(client, model_name)
    return client, model_name


def _verify(project: Path, name: str, version: int) -> None:
    """`InputError` if a version cannot be opened, and so must not become champion."""
    from ae_pipelines.tracking.versions.registry import ModelRegistry

    kept = ModelRegistry(project, name).fetch(version, "")  # its files are gone with it
    kept.models.open()


if __name__ == "__main__":
    main(prog_name="python -m ae_pipelines.tracking")
