"""`python -m ae_pipelines.tracking --run=<name> --status=FINISHED`: close a run that several processes shared."""

from pathlib import Path

import click

from ae_pipelines.base.commands import refusals
from ae_pipelines.tracking.runs import close_shared


@click.command()
@click.option(
    "--project-path", type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path), default="."
)
@click.option("--run", required=True, help="What AE_RUN was for the processes that shared it.")
@click.option("--status", type=click.Choice(["FINISHED", "FAILED", "KILLED"]), required=True)
def main(project_path: Path, run: str, status: str) -> None:
    """Close the MLflow run that several processes shared."""
    with refusals():
        found = close_shared(project_path, run, status)
    click.echo(f"MLflow run {found} of {run} is {status}" if found else f"no MLflow run of {run}: nothing was recorded")


if __name__ == "__main__":
    main()
