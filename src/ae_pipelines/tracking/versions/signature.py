"""What MLflow shows of the requests that a version takes, and of its answers."""

from typing import Any

from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.scoring.scoring_contract import ScoringContract
from ae_pipelines.tracking.datasets import columns


def signature(contract: ScoringContract) -> Any:
    """MLflow's signature: raw samples as a tensor or by column, and the columns of an answer."""
    from mlflow.models import ModelSignature

    return ModelSignature(_inputs(contract.samples), _outputs(bool(contract.classes)))


def _inputs(spec: SampleSpec) -> Any:
    """Images as they are stored, numbers before standardisation, dates as text."""
    import numpy as np
    from mlflow.types import ColSpec, Schema, TensorSpec

    if types := columns(spec):
        empty = {one["column"] for one in spec.preprocessing.get("treatments", ()) if one.get("missing")}
        sent = {name: "string" if kind == "datetime" else kind for name, kind in types.items()}
        return Schema([ColSpec(kind, name, required=name not in empty) for name, kind in sent.items()])
    dtype = np.dtype(spec.dtype if spec.bounded else np.float64)
    return Schema([TensorSpec(dtype, (-1, *spec.shape))])


def _outputs(classes: bool) -> Any:
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Array, DataType

    return Schema(
        [
            ColSpec(Array(DataType.double), "latent"),
            ColSpec("long", "cluster"),
            ColSpec("double", "distance", required=False),
            *([ColSpec("string", "predicted"), ColSpec("double", "probability")] if classes else []),
            ColSpec("double", "reconstruction_error", required=False),
            ColSpec("double", "anomaly_score"),
            ColSpec("boolean", "anomaly"),
        ]
    )
