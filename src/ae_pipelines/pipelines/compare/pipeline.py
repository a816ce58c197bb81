from dataclasses import fields

from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.compare import nodes
from ae_pipelines.report.two_runs.side import Found

HERE = {part.name: part.name for part in fields(Found)}
THERE = {name: f"other_{name}" for name in HERE}
"""What is compared of both runs, as far as it is there."""


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(Found, HERE, "found_here", name="gather_this_run"),
            Node(Found, THERE, "found_there", name="gather_other_run"),
            Node(
                nodes.write,
                ["found_here", "found_there", "recorded_runs", "params:compare", "params:report"],
                "comparison",
                name="write_comparison",
                tags="outline",
            ),
        ],
        namespace="compare",
        inputs={*HERE.values(), *THERE.values(), "recorded_runs"},
        outputs={"comparison"},
        parameters={"compare", "report"},
        prefix_datasets_with_namespace=False,
    )
