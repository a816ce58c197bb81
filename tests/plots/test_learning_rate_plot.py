from dataclasses import replace

from ae_pipelines.plots import learning_rate
from ae_pipelines.tuning.learning_rate import Curve

CURVE = Curve(
    recipe="small",
    own=1e-3,
    schedule="one_cycle",
    rates=[1e-4, 1e-3, 1e-2, 1e-1],
    losses={"a": [1.0, 0.5, 0.2, 90.0]},
    smoothed={"a": [1.0, 0.6, 0.3, 60.0]},
    suggested=2e-3,
    highest_stable=1e-2,
    note="",
)


def test_the_rates_that_matter_are_marked():
    axis = learning_rate.curve(CURVE).get_axes()[0]
    marked = {line.get_xdata()[0]: line.get_label() for line in axis.get_lines() if len(line.get_xdata()) == 2}
    assert marked == {1e-3: "the recipe's (peak of one_cycle): 1.0e-03", 2e-3: "suggested: 2.0e-03"}
    assert axis.get_xscale() == "log"


def test_a_loss_that_diverges_does_not_flatten_the_rest():
    low, high = learning_rate.curve(CURVE).get_axes()[0].get_ylim()
    assert low < 0.2
    assert 1.0 < high < 2.0


def test_opponents_are_shown_without_a_suggestion():
    found = replace(CURVE, suggested=None, highest_stable=None, losses=CURVE.losses | {"b": [2.0] * 4})
    found = replace(found, smoothed=found.smoothed | {"b": [2.0] * 4})
    labels = learning_rate.curve(found).get_axes()[0].get_legend_handles_labels()[1]
    assert len(labels) == 3
    assert not any("suggested" in label or "rises" in label for label in labels)
