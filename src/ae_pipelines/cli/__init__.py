"""The command line: `kedro run`. Kedro looks for a project's commands here."""

from ae_pipelines.cli.command import cli, run

__all__ = ["cli", "run"]
