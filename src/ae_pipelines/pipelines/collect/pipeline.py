from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.collect import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.fetch, ["model_registry", "params:score"], "registered_model", name="fetch_models", tags="outline"
            ),
            Node(
                nodes.store,
                ["source", "registered_model", "params:ingest", "params:score", "run"],
                "new_samples",
                name="store_new_samples",
                tags="outline",
            ),
            Node(
                nodes.count,
                ["new_samples", "registered_model", "scored", "params:score", "run"],
                "collect_metrics",
                name="count_new_samples",
            ),
        ],
        namespace="collect",
        inputs={"source", "model_registry", "scored", "run"},
        outputs={"registered_model", "new_samples", "collect_metrics"},
        parameters={"score", "ingest"},
        prefix_datasets_with_namespace=False,
    )
