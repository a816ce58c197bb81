from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.classify import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.fit, ["latents", "params:classify"], "classifier", name="fit_classifier"),
            Node(nodes.predict, ["classifier", "latents"], "predictions", name="predict"),
            Node(nodes.fit, ["pca_latents", "params:classify"], "pca_classifier", name="fit_pca_classifier"),
            Node(nodes.predict, ["pca_classifier", "pca_latents"], "pca_predictions", name="predict_from_pca"),
            Node(
                nodes.measure,
                ["latents", "predictions", "pca_latents", "pca_predictions", "params:classify"],
                "classify_metrics",
                name="measure_classifier",
            ),
            Node(nodes.tabulate, ["latents", "predictions"], "per_class", name="tabulate_classes"),
            Node(
                nodes.draw_confusion,
                ["latents", "predictions", "classify_metrics"],
                "confusion_matrix",
                name="draw_confusion",
            ),
        ],
        namespace="classify",
        inputs={"latents", "pca_latents"},
        outputs={"classifier", "predictions", "classify_metrics", "per_class", "confusion_matrix"},
        parameters={"classify"},
        prefix_datasets_with_namespace=False,
    )
