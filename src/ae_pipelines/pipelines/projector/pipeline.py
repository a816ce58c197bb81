from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.projector import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.project,
                ["latents", "samples", "params:projector", "clusters"],
                "projector",
                name="write_projector",
                tags="outline",
            )
        ],
        namespace="projector",
        inputs={"latents", "samples", "clusters"},
        outputs={"projector"},
        parameters={"projector"},
        prefix_datasets_with_namespace=False,
    )
