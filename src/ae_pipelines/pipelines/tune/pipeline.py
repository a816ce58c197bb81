from kedro.pipeline import Node, Pipeline

from ae_pipelines.pipelines.tune import nodes


def create_pipeline(**_: object) -> Pipeline:
    given = ["params:recipe", "params:tune", "tune_folder", "run"]
    compared = ["samples", "study_samples", "params:recipe", "study", "params:tune", "tune_folder", "run"]
    return Pipeline(
        [
            Node(nodes.pick, ["samples", "params:tune", "tune_folder"], "study_samples", name="pick_samples"),
            Node(nodes.search, ["study_samples", *given], "study", name="search_recipes", tags="outline"),
            Node(nodes.compare, compared, "found", name="compare_winner", tags="outline"),
            Node(nodes.test_rates, ["samples", *given], "rates", name="test_learning_rates"),
            Node(nodes.keep, "found", ["tune", "trials"], name="keep_study"),
            Node(nodes.write_recipe, ["found", "params:recipe"], "tuned_recipe", name="write_recipe"),
            Node(nodes.measure, ["found", "rates"], ["tune_metrics", "tune_verdict"], name="measure_winner"),
            Node(nodes.write_page, "found", "tune_page", name="write_tune_page"),
            Node(nodes.draw_rates, "rates", ["learning_rate", "learning_rate_picture"], name="draw_learning_rates"),
        ],
        namespace="tune",
        inputs={"samples", "tune_folder", "run"},
        outputs={
            *("tune", "trials", "tuned_recipe", "tune_metrics", "tune_verdict", "tune_page"),
            *("learning_rate", "learning_rate_picture"),
        },
        parameters={"recipe", "tune"},
        prefix_datasets_with_namespace=False,
    )
