"""Are new rows still like those of the training?"""

from typing import Any

from ae_pipelines.base.run import Run
from ae_pipelines.downstream import drift
from ae_pipelines.downstream.drift import DriftOptions


def compare(
    registered_model: Any, scores: Any, options: DriftOptions, run: Run
) -> tuple[dict[str, Any], dict[str, float], Any]:
    """The scored rows compared with the training's latents, as numbers and as a picture."""
    from ae_pipelines.plots import drift as plots
    from ae_pipelines.scoring import report

    batch, rows = report.batch_of(registered_model, scores, options, run)
    found = report.drift_report(registered_model, batch, rows, options)
    return found, drift.drift_metrics(found), plots.drift(registered_model.models.reference, batch, found)


def judge(drift_report: dict[str, Any], registered_model: Any, scores: Any, options: DriftOptions, run: Run) -> None:
    """Note that these rows have been judged; end the run with an error if they have drifted and `drift.fail` is set."""
    from ae_pipelines.scoring import report

    report.note_judged(registered_model, scores, run)
    drift.refuse_drift(drift_report, options)
