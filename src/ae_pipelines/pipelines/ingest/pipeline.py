from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.ingest import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.store, ["source", "params:ingest"], "samples", name="store_samples", tags="outline"),
            Node(nodes.count, "samples", "ingest_metrics", name="count_samples"),
            Node(nodes.list_rejects, "samples", "rejects", name="list_rejects"),
            Node(nodes.list_columns, "samples", "columns", name="list_columns"),
            Node(nodes.list_conflicts, "samples", "conflicts", name="list_conflicts"),
            Node(nodes.draw_rejects, "samples", "rejects_summary", name="draw_rejects"),
        ],
        namespace="ingest",
        inputs={"source"},
        outputs={"samples", "ingest_metrics", "rejects", "columns", "conflicts", "rejects_summary"},
        parameters={"ingest"},
        prefix_datasets_with_namespace=False,
    )
