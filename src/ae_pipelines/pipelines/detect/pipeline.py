from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.detect import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.fit,
                ["latents", "params:detect", "samples", "autoencoder"],
                "anomaly_model",
                name="fit_detector",
                tags="outline",
            ),
            Node(nodes.find, ["anomaly_model", "latents"], "anomalies", name="find_anomalies"),
            Node(
                nodes.fit_control,
                ["pca_latents", "params:detect", "anomaly_model"],
                "pca_anomaly_model",
                name="fit_pca_detector",
                namespace="pca",
            ),
            Node(
                nodes.find,
                ["pca_anomaly_model", "pca_latents"],
                "pca_anomalies",
                name="find_pca_anomalies",
                namespace="pca",
            ),
            Node(
                nodes.measure,
                [
                    *("latents", "anomaly_model", "anomalies"),
                    *("pca_latents", "pca_anomaly_model", "pca_anomalies", "params:detect"),
                    *("samples", "autoencoder"),
                ],
                "detect_metrics",
                name="measure_detector",
            ),
            Node(
                nodes.list_oddest,
                ["anomalies", "samples", "autoencoder"],
                "oddest_samples",
                name="list_oddest",
            ),
            Node(
                nodes.draw_oddest,
                ["latents", "anomaly_model", "anomalies", "samples", "autoencoder"],
                "oddest",
                name="draw_oddest",
            ),
        ],
        namespace="detect",
        inputs={"latents", "pca_latents", "samples", "autoencoder"},
        outputs={"anomaly_model", "anomalies", "detect_metrics", "oddest_samples", "oddest"},
        parameters={"detect"},
        prefix_datasets_with_namespace=False,
    )
