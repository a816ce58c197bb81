from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.search import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.find,
                ["latents", "autoencoder", "params:search", "samples"],
                "neighbours",
                name="find_neighbours",
                tags="outline",
            ),
            Node(
                nodes.measure,
                ["latents", "pca_latents", "params:search"],
                "search_metrics",
                name="measure_neighbours",
            ),
            Node(nodes.draw_neighbours, ["neighbours", "latents", "samples"], "similar", name="draw_neighbours"),
        ],
        namespace="search",
        inputs={"latents", "pca_latents", "samples", "autoencoder"},
        outputs={"neighbours", "search_metrics", "similar"},
        parameters={"search"},
        prefix_datasets_with_namespace=False,
    )
