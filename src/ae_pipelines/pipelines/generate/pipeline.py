from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.generate import nodes


def create_pipeline(**_: object) -> Pipeline:
    return Pipeline(
        [
            Node(
                nodes.prepare,
                ["autoencoder", "samples", "params:generate", "judge_checkpoint", "run"],
                ["generator", "generators", "judge"],
                name="prepare_generator",
            ),
            Node(nodes.make, "generator", "generated", name="make_samples", tags="outline"),
            Node(nodes.draw_new_samples, ["generator", "generated"], "new_samples_grid", name="draw_new_samples"),
            Node(
                nodes.draw_interpolation,
                "generator",
                ["interpolation", "interpolation_gif"],
                name="draw_interpolation",
            ),
            Node(nodes.draw_manifold, "generator", "manifold", name="draw_manifold"),
            Node(nodes.draw_arithmetic, "generator", "arithmetic", name="draw_arithmetic"),
            Node(nodes.draw_traversal, "generator", "traversal", name="draw_traversal"),
            Node(nodes.find_gaps, "generators", "gaps_found", name="find_gaps"),
            Node(nodes.draw_gaps, ["generator", "gaps_found"], "gaps", name="draw_gaps"),
            Node(nodes.measure, ["generator", "gaps_found", "judge"], "generate_metrics", name="measure_new_samples"),
        ],
        namespace="generate",
        inputs={"autoencoder", "samples", "judge_checkpoint", "run"},
        outputs={
            *("generated", "generate_metrics", "new_samples_grid", "interpolation", "interpolation_gif"),
            *("manifold", "arithmetic", "traversal", "gaps"),
        },
        parameters={"generate"},
        prefix_datasets_with_namespace=False,
    )
