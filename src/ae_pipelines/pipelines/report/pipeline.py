from dataclasses import fields

from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.report import nodes
from ae_pipelines.report.results import Results

SHOWN = {part.name: part.name for part in fields(Results) if part.init} | {"recipe": "params:recipe"}
"""What the page shows, as far as it is there."""


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.lay_out, ["latents", "params:report"], "map", name="lay_out"),
            Node(
                nodes.draw_latent_map,
                ["latents", "map", "clusters", "cluster_model"],
                "latent_map",
                name="draw_latent_map",
            ),
            Node(Results, SHOWN, "results", name="gather_results"),
            Node(nodes.write, ["results", "params:report"], "report", name="write_report"),
        ],
        namespace="report",
        inputs=set(SHOWN.values()) - {"map", "params:recipe"},
        outputs={"map", "latent_map", "report"},
        parameters={"report", "recipe"},
        prefix_datasets_with_namespace=False,
    )
