"""Recipes are compared, with several seeds, at what their latents are good for."""

from pathlib import Path
from typing import Any

import pandas as pd

from ae_pipelines.base.run import Run
from ae_pipelines.comparison.scoreboard.board import ScoreboardOptions
from ae_pipelines.samples.store import Samples


def measure(
    samples: Samples, options: ScoreboardOptions, folder: Path, run: Run
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """A row for each encoder, task and metric, as a table and as plain data."""
    from ae_pipelines.comparison.scoreboard import board

    table = board.scores(samples, options, folder, run)
    return table, board.plain(table)


def draw(table: pd.DataFrame) -> Any:
    """Encoders down, tasks across."""
    from ae_pipelines.plots import scoreboard

    return scoreboard.scoreboard(table)
