from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.cluster import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(nodes.fit, ["latents", "params:cluster"], "cluster_model", name="fit_clusters", tags="outline"),
            Node(nodes.assign, ["cluster_model", "latents"], "clusters", name="assign_clusters"),
            Node(
                nodes.fit,
                ["pca_latents", "params:cluster"],
                "pca_cluster_model",
                name="fit_pca_clusters",
                namespace="pca",
            ),
            Node(
                nodes.assign,
                ["pca_cluster_model", "pca_latents"],
                "pca_clusters",
                name="assign_pca_clusters",
                namespace="pca",
            ),
            Node(
                nodes.measure,
                ["latents", "cluster_model", "clusters", "pca_latents", "pca_cluster_model", "pca_clusters"],
                "cluster_metrics",
                name="measure_clusters",
            ),
            Node(nodes.tabulate, ["latents", "clusters"], "cluster_sizes", name="tabulate_clusters"),
            Node(nodes.draw_report, ["cluster_model", "cluster_sizes"], "cluster_report", name="draw_cluster_report"),
            Node(
                nodes.draw_examples,
                ["latents", "samples", "clusters", "cluster_sizes"],
                "cluster_examples",
                name="draw_cluster_examples",
            ),
        ],
        namespace="cluster",
        inputs={"samples", "latents", "pca_latents"},
        outputs={
            "cluster_model",
            "clusters",
            "cluster_metrics",
            "cluster_sizes",
            "cluster_report",
            "cluster_examples",
        },
        parameters={"cluster"},
        prefix_datasets_with_namespace=False,
    )
