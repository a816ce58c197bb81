from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.fit import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.train,
                ["samples", "params:recipe", "checkpoint", "run"],
                ["autoencoder", "training_history"],
                name="train_autoencoder",
                tags="outline",
            ),
            Node(nodes.measure, ["autoencoder", "samples", "params:recipe"], "fit_metrics", name="measure_autoencoder"),
            Node(nodes.draw_examples, ["autoencoder", "samples"], "examples", name="draw_examples"),
            Node(nodes.draw_learning_curves, "training_history", "learning_curves", name="draw_learning_curves"),
        ],
        namespace="fit",
        inputs={"samples", "checkpoint", "run"},
        outputs={"autoencoder", "fit_metrics", "examples", "learning_curves"},
        parameters={"recipe"},
        prefix_datasets_with_namespace=False,
    )
