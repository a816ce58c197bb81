from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.contrast import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.compare,
                ["samples", "latents", "few_labels", "params:contrast", "run"],
                ["contrast", "contrast_spaces"],
                name="train_supervised",
            ),
            Node(nodes.measure, "contrast", "contrast_metrics", name="measure_contrast"),
            Node(nodes.draw_curve, "contrast", "contrast_curve", name="draw_contrast_curve", tags="outline"),
            Node(nodes.draw_maps, "contrast_spaces", "contrast_maps", name="draw_contrast_maps"),
        ],
        namespace="contrast",
        inputs={"samples", "latents", "few_labels", "run"},
        outputs={"contrast", "contrast_spaces", "contrast_metrics", "contrast_curve", "contrast_maps"},
        parameters={"contrast"},
        prefix_datasets_with_namespace=False,
    )
