from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.report import nodes

SHOWN = {part: part for part in nodes.PARTS}
"""What the page shows, as far as it is there."""


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.lay_out, ["latents", "params:report"], "map", name="lay_out", tags="outline"),
            Node(
                nodes.draw_latent_map,
                ["latents", "map", "clusters", "cluster_model"],
                "latent_map",
                name="draw_latent_map",
            ),
            Node(nodes.write, SHOWN | {"options": "params:report"}, "report", name="write_report"),
        ],
        namespace="report",
        inputs=set(SHOWN.values()) - {"map"},
        outputs={"map", "latent_map", "report"},
        parameters={"report"},
        prefix_datasets_with_namespace=False,
    )
