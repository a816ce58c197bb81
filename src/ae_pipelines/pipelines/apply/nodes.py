"""The registered models score what is new."""

from typing import Any

from ae_pipelines.base.run import Run
from ae_pipelines.samples.store import Samples


def apply(registered_model: Any, new_samples: Samples, scored: Any, collect_metrics: dict[str, float], run: Run) -> Any:
    """The rows that this version has not scored, to be scored as a stream; counting has checked them."""
    from ae_pipelines.scoring.batch import NewRows

    return NewRows(registered_model, new_samples, scored, run)


def measure(scores: Any, registered_model: Any, run: Run) -> dict[str, float]:
    """Counts and rates of what was scored."""
    from ae_pipelines.scoring import report

    return report.score_metrics(scores, registered_model, run)
