from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.restore import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.restore,
                ["samples", "autoencoder", "params:recipe", "params:restore", "restored_folder"],
                ["restored", "restore_metrics", "restored_picture"],
                name="restore_images",
                tags="outline",
            ),
        ],
        namespace="restore",
        inputs={"samples", "autoencoder", "restored_folder"},
        outputs={"restored", "restore_metrics", "restored_picture"},
        parameters={"recipe", "restore"},
        prefix_datasets_with_namespace=False,
    )
