"""Are new rows still like those of the training?"""

from typing import Any

from ae_pipelines.downstream import drift
from ae_pipelines.downstream.drift import DriftOptions


def compare(registered_model: Any, scores: Any, options: DriftOptions) -> dict[str, Any]:
    """What was scored, held against the training's latents."""
    from ae_pipelines.scoring import report

    return report.drift_report(registered_model, scores, options)


def describe(drift_report: dict[str, Any], registered_model: Any, scores: Any) -> Any:
    """The same as numbers and as a picture."""
    from ae_pipelines.plots import drift as plots
    from ae_pipelines.scoring import report

    batch = report.batch_of(registered_model, scores)
    return drift.drift_metrics(drift_report), plots.drift(registered_model.models.reference, batch, drift_report)


def judge(
    drift_report: dict[str, Any],
    drift_metrics: dict[str, float],
    registered_model: Any,
    scores: Any,
    options: DriftOptions,
) -> None:
    """Note that these rows have been judged; end the run with an error if they have drifted and that is asked for."""
    from ae_pipelines.scoring import report

    report.note_judged(registered_model, scores)
    drift.refuse_drift(drift_report, options)
