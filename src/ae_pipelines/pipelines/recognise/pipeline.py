from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.recognise import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.compare,
                ["samples", "trained_autoencoder", "trained_latents", "params:recognise"],
                "familiarity",
                name="compare_with_training",
                tags="outline",
            ),
            Node(
                nodes.measure,
                ["familiarity", "trained_latents"],
                ["recognise_metrics", "verdict"],
                name="measure_familiarity",
            ),
            Node(
                nodes.draw,
                ["familiarity", "trained_latents", "recognise_metrics", "verdict"],
                "familiarity_histogram",
                name="draw_familiarity",
            ),
        ],
        namespace="recognise",
        inputs={"samples", "trained_autoencoder", "trained_latents"},
        outputs={"familiarity", "recognise_metrics", "verdict", "familiarity_histogram"},
        parameters={"recognise"},
        prefix_datasets_with_namespace=False,
    )
