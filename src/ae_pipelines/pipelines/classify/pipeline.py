from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.classify import nodes

LATENTS, PCA = ["latents", "classifier"], ["pca_latents", "pca_classifier"]


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.fit, ["latents", "params:classify"], "classifier", name="fit_classifier", tags="outline"),
            Node(nodes.predict, ["classifier", "latents"], "predictions", name="predict"),
            Node(
                nodes.fit,
                ["pca_latents", "params:classify"],
                "pca_classifier",
                name="fit_pca_classifier",
                namespace="pca",
            ),
            Node(
                nodes.draw_few,
                ["classifier", "latents", "pca_latents", "params:classify"],
                "few_labels",
                name="draw_few_labels",
            ),
            Node(
                nodes.measure,
                [*LATENTS, *PCA, "few_labels", "params:classify"],
                "classify_metrics",
                name="measure_classifier",
            ),
            Node(
                nodes.compare,
                ["latents", "classifier", "pca_latents", "params:classify", "samples", "autoencoder"],
                "controls",
                name="compare_with_controls",
            ),
            Node(nodes.measure_controls, "controls", "controls_metrics", name="measure_controls"),
            Node(
                nodes.tabulate,
                ["latents", "predictions", "classifier", "classify_metrics"],
                "per_class",
                name="tabulate_classes",
            ),
            Node(
                nodes.list_to_label, ["classifier", "latents", "params:classify"], "to_label", name="list_what_to_label"
            ),
            Node(
                nodes.draw_confusion,
                ["latents", "predictions", "classify_metrics"],
                "confusion_matrix",
                name="draw_confusion",
            ),
            Node(nodes.draw_reliability, [*LATENTS, *PCA], "reliability", name="draw_reliability"),
            Node(nodes.draw_few_labels, "few_labels", "few_labels_curve", name="draw_few_labels_curve"),
        ],
        namespace="classify",
        inputs={"samples", "autoencoder", "latents", "pca_latents"},
        outputs={
            *("classifier", "predictions", "classify_metrics", "per_class", "confusion_matrix"),
            *("few_labels", "few_labels_curve", "reliability", "to_label", "controls", "controls_metrics"),
        },
        parameters={"classify"},
        prefix_datasets_with_namespace=False,
    )
