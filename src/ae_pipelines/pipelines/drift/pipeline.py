from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.drift import nodes

SCORED = ["registered_model", "scores"]


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.compare,
                [*SCORED, "params:drift", "run"],
                ["drift_report", "drift_metrics", "drift_picture"],
                name="compare_with_training",
                tags="outline",
            ),
            Node(nodes.judge, ["drift_report", *SCORED, "params:drift", "run"], None, name="judge_drift"),
        ],
        namespace="drift",
        inputs={*SCORED, "run"},
        outputs={"drift_report", "drift_metrics", "drift_picture"},
        parameters={"drift"},
        prefix_datasets_with_namespace=False,
    )
