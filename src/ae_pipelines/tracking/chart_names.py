"""Names of metrics in MLflow, whose page of charts has a section for each part before the last slash.

A stage's section is for its measures alone: `classify/accuracy`. Those of the control go together into `pca/`, bounds
of intervals into `within/`, which both come behind the stages.
"""

from collections.abc import Mapping

from ae_pipelines.downstream import intervals

CONTROL, WITHIN = "pca", "within"


def charted(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics named `<stage>/<name>`, by the names that MLflow knows them by."""
    return {_charted(name, metrics): value for name, value in metrics.items()}


def _charted(name: str, metrics: Mapping[str, float]) -> str:
    stage, _, measure = name.rpartition("/")
    if stage and any(name.removesuffix(f"_{bound}") in metrics.keys() - {name} for bound in intervals.BOUNDS):
        return f"{WITHIN}/{stage}.{measure}"
    if stage and measure.startswith(f"{CONTROL}_"):
        return f"{CONTROL}/{stage}.{measure.removeprefix(f'{CONTROL}_')}"
    return name


def measured(name: str) -> str:
    """The metric `<stage>/<name>` that MLflow knows by this name: `within/classify.accuracy_low` is
    `classify/accuracy_low`, `pca/classify.accuracy` is `classify/pca_accuracy`."""
    section, _, rest = name.partition("/")
    if section not in (CONTROL, WITHIN):
        return name
    stage, _, measure = rest.partition(".")
    return f"{stage}/{measure}" if section == WITHIN else f"{stage}/{CONTROL}_{measure}"
