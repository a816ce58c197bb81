"""Sample stores as MLflow's data sets: what a run worked on, by name and content."""

import json
from typing import Any

from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

SHOWN_COLUMNS = 1000
"""Columns that a schema lists; MLflow takes a megabyte."""
SHOWN_LETTERS = 100
"""Of a column's name: in JSON a letter may take six."""


def dataset_input(samples: Samples, context: str) -> Any:
    """The store, as MLflow wants it: its digest is the store's id; the profile says how many samples of which kind.

    `context`: what it is used for, such as `training`.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.utils.mlflow_tags import MLFLOW_DATASET_CONTEXT

    dataset = Dataset(
        name=samples.manifest.source[:500],
        digest=samples.id,
        source_type="local",
        source=json.dumps({"uri": samples.folder.resolve().as_uri()}),
        schema=json.dumps(_schema(samples.spec)),
        profile=json.dumps({name: value for name, value in samples.counts().items() if name not in OF_THE_INGEST}),
    )
    return DatasetInput(dataset, [InputTag(MLFLOW_DATASET_CONTEXT, context)])


OF_THE_INGEST = ("decoded", "reused", "seconds", "removed")
"""Counts that say how the store came about, not what is in it."""


def _schema(spec: SampleSpec) -> dict[str, Any]:
    """Columns of a table by name, other samples as one tensor."""
    if types := columns(spec):
        listed = [{"name": name[:SHOWN_LETTERS], "type": kind, "required": True} for name, kind in types.items()]
        return {"mlflow_colspec": listed[:SHOWN_COLUMNS]}
    tensor = [{"type": "tensor", "tensor-spec": {"dtype": spec.dtype, "shape": [-1, *spec.shape]}}]
    return {"mlflow_tensorspec": {"features": json.dumps(tensor), "targets": None}}


def columns(spec: SampleSpec) -> dict[str, str]:
    """MLflow's type of each column of a table, in order; none for other samples."""
    types = {one["column"]: TYPES[one["type"]] for one in spec.preprocessing.get("treatments", ())}
    return {str(name): types.get(name, "double") for name in spec.preprocessing.get("columns", ())}


TYPES = {"number": "double", "boolean": "boolean", "date": "datetime", "category": "string"}
"""MLflow's word for ours."""
