from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.embed import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.take_apart, "autoencoder", ["encoder", "decoder"], name="take_apart"),
            Node(
                nodes.embed, ["autoencoder", "samples", "params:embed"], "latents", name="embed_samples", tags="outline"
            ),
            Node(
                nodes.embed_by_pca,
                ["samples", "autoencoder", "params:embed"],
                "pca_latents",
                name="embed_by_pca",
                namespace="pca",
            ),
            Node(nodes.measure, ["latents", "pca_latents"], "embed_metrics", name="measure_reconstruction"),
        ],
        namespace="embed",
        inputs={"autoencoder", "samples"},
        outputs={"encoder", "decoder", "latents", "pca_latents", "embed_metrics"},
        parameters={"embed"},
        prefix_datasets_with_namespace=False,
    )
