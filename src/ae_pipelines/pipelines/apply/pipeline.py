from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.apply import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.apply,
                ["registered_model", "new_samples", "scored", "collect_metrics", "run"],
                "scores",
                name="score_new_samples",
                tags="outline",
            ),
            Node(nodes.measure, ["scores", "registered_model", "run"], "score_metrics", name="measure_scores"),
        ],
        namespace="apply",
        inputs={"registered_model", "new_samples", "scored", "collect_metrics", "run"},
        outputs={"scores", "score_metrics"},
        prefix_datasets_with_namespace=False,
    )
