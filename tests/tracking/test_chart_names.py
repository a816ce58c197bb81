"""Names of metrics in MLflow, whose charts are grouped by what stands before the last slash."""

from ae_pipelines.tracking.chart_names import charted, measured

MEASURES = {"classify/accuracy": 0.9, "classify/majority": 0.1, "classify/so_low": 1.0, "fit/test/vae/kl": 2.0}
BOUNDS = {"classify/accuracy_low": 0.8, "classify/accuracy_high": 0.95, "classify/pca_accuracy_high": 0.9}
CONTROL = {"classify/pca_accuracy": 0.7}


def test_a_stages_group_holds_its_measures_alone():
    found = charted(MEASURES | BOUNDS | CONTROL)
    assert {name: value for name, value in found.items() if name in MEASURES} == MEASURES
    others = {name: value for name, value in found.items() if name not in MEASURES}
    assert others == {
        "within/classify.accuracy_low": 0.8,
        "within/classify.accuracy_high": 0.95,
        "within/classify.pca_accuracy_high": 0.9,
        "pca/classify.accuracy": 0.7,
    }


def test_the_name_of_the_measure_can_be_told_from_the_name_in_mlflow():
    given = MEASURES | BOUNDS | CONTROL
    assert {measured(name): value for name, value in charted(given).items()} == given


def test_what_belongs_to_no_stage_keeps_its_name():
    assert charted({"loss": 1.0, "loss_low": 0.5}) == {"loss": 1.0, "loss_low": 0.5}
