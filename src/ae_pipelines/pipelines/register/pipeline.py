from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.register import nodes

MODELS = ("autoencoder", "cluster_model", "classifier", "anomaly_model", "latents", "samples", "onnx_models")
MEASURED = ("embed", "cluster", "classify", "detect")


def create_pipeline(**_: object) -> Pipeline:
    metrics = {stage: f"{stage}_metrics" for stage in MEASURED}
    return Pipeline(
        [
            Node(
                nodes.assemble,
                {name: name for name in (*MODELS, "run")} | metrics,
                "scoring_model",
                name="assemble_models",
            ),
            Node(
                nodes.register,
                ["source", "scoring_model", "samples", "model_registry", "params:promote", "run"],
                "registration",
                name="register_models",
                tags="outline",
            ),
        ],
        namespace="register",
        inputs={*MODELS, *metrics.values(), "model_registry", "source", "run"},
        outputs={"scoring_model", "registration"},
        parameters={"promote"},
        prefix_datasets_with_namespace=False,
    )
