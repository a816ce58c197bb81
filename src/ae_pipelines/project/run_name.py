"""What a run is called."""

from typing import Any


def pipeline_of(run_params: dict[str, Any]) -> str:
    """The pipeline or stages that a run was asked for."""
    return "+".join(sorted(run_params.get("pipeline_names") or ["__default__"]))  # Kedro gives them in no fixed order
