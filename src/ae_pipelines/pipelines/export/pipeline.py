from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.export import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.export,
                ["autoencoder", "cluster_model", "classifier", "anomaly_model", "samples"],
                ["onnx_models", "export_metrics"],
                name="export_models",
                tags="outline",
            ),
        ],
        namespace="export",
        inputs={"autoencoder", "cluster_model", "classifier", "anomaly_model", "samples"},
        outputs={"onnx_models", "export_metrics"},
        prefix_datasets_with_namespace=False,
    )
