from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.ingest import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.store, "source", "samples", name="store_samples"),
            Node(nodes.count, "samples", "ingest_metrics", name="count_samples"),
        ],
        namespace="ingest",
        inputs={"source"},
        outputs={"samples", "ingest_metrics"},
        prefix_datasets_with_namespace=False,
    )
