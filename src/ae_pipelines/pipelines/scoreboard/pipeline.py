from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.scoreboard import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.measure,
                ["samples", "params:scoreboard", "scoreboard_folder", "run"],
                ["scoreboard", "scoreboard_json"],
                name="measure_recipes",
                tags="outline",
            ),
            Node(nodes.draw, "scoreboard", "scoreboard_picture", name="draw_scoreboard"),
        ],
        namespace="scoreboard",
        inputs={"samples", "scoreboard_folder", "run"},
        outputs={"scoreboard", "scoreboard_json", "scoreboard_picture"},
        parameters={"scoreboard"},
        prefix_datasets_with_namespace=False,
    )
