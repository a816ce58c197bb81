import numpy as np
import pytest

from ae_pipelines.plots.training import KEPT, learning_curves
from ae_pipelines.training.history import kept_epochs
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe


def history(*best, phase="fit"):
    return [
        {"phase": phase, "train/a/mse": 1.0 / (place + 1), "learning_rate": 1e-3, "best_so_far": one}
        for place, one in enumerate(best)
    ]


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        (history(True, True, False), [2]),
        (history(False, False, False), [3]),
        (history(True, False, phase="one") + history(True, True, True, False, phase="two"), [1, 5]),
        ([{"phase": "fit", "train/a/mse": 1.0, "learning_rate": 1e-3}], []),
    ],
)
def test_the_epoch_whose_weights_were_kept_is_marked(rows, kept):
    assert kept_epochs(rows) == kept
    for axis in learning_curves(rows).get_axes():
        assert axis.get_xlabel() == "epoch"
        assert axis.get_ylabel() in ("loss", "learning rate")
        assert [line.get_xdata()[0] for line in axis.get_lines() if line.get_color() == KEPT] == kept


def test_it_is_the_one_that_the_training_kept(digits):
    recipe = Recipe.model_validate(
        {
            "model": {"kind": "autoencoder"},
            "loader": {"batch_size": 256},
            "training": {"epochs": 12, "threads": 1, "learning_rate": 0.1, "validation_share": 0.1},
        }
    )
    rows = train(digits, recipe)[1]
    losses = [row["loss"] for row in rows]
    assert kept_epochs(rows) == [1 + int(np.argmin(losses))]
    assert kept_epochs(rows) != [len(rows)], "the test needs a training whose last epoch is not its best"


def test_without_validation_the_last_epoch_is_kept(digits):
    recipe = Recipe.model_validate(
        {
            "model": {"kind": "gan"},
            "loader": {"batch_size": 256},
            "training": {"epochs": 2, "threads": 1, "validation_share": 0.1},
        }
    )
    assert kept_epochs(train(digits, recipe)[1]) == [2]
