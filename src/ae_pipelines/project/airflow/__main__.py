"""`python -m ae_pipelines.project.airflow --project-path=<folder> --dags=<folder>` writes the DAGs of a project."""

import sys
from pathlib import Path

import click

from ae_pipelines.pipeline_registry import register_pipelines
from ae_pipelines.project.airflow.writer import write_dags
from ae_pipelines.project.refusals import refusals


@click.command()
@click.option("--project-path", type=click.Path(path_type=Path), default=Path(), help="Folder that holds conf/.")
@click.option("--dags", type=click.Path(path_type=Path), required=True, help="Airflow's folder of DAGs.")
def main(project_path: Path, dags: Path) -> None:
    """Write a DAG file for each entry of conf/airflow/airflow.yml; its tasks run this interpreter."""
    with refusals():
        written = write_dags(project_path, dags, sys.executable, register_pipelines())
    for path in written:
        click.echo(f"written: {path}")


if __name__ == "__main__":
    main()
