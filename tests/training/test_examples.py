import numpy as np
import pytest
from making import ArraySource, images

from ae_pipelines.plots.rows import examples as draw
from ae_pipelines.plots.training import learning_curves
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.examples import SHOWN, examples
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe


def rows(digits, model, corruptions=()):
    recipe = Recipe.model_validate(
        {
            "model": model,
            "loader": {"batch_size": 64, "corruptions": list(corruptions)},
            "training": {"epochs": 1, "threads": 1},
        }
    )
    return examples(train(digits, recipe)[0], digits)


@pytest.mark.parametrize(
    ("model", "corruptions", "expected"),
    [
        ({"kind": "autoencoder"}, [], ["sample", "output"]),
        ({"kind": "autoencoder"}, [{"kind": "gaussian_noise"}], ["input", "output", "sample"]),
        ({"kind": "vae", "conditional": True}, [], ["sample", "output", "drawn 1", "drawn 2"]),
        ({"kind": "siamese"}, [], ["sample", "nearest"]),
        ({"kind": "gan"}, [], ["drawn 1", "drawn 2"]),
    ],
)
def test_a_model_is_shown_by_what_it_is_able_to_do(digits, model, corruptions, expected):
    found = rows(digits, model, corruptions)
    assert list(found) == expected
    assert all(len(row) == SHOWN for row in found.values())
    if "sample" in found:
        held_back = digits.take(digits.positions("test")) / 255
        for sample in found["sample"]:
            assert np.abs(held_back - sample).max(axis=(1, 2, 3)).min() < 1e-6
    assert draw(found, "digits").get_axes()


def test_fewer_test_samples_than_are_shown_make_a_smaller_picture(tmp_path):
    store = write_store(tmp_path, ArraySource(images(200, (1, 8, 8)), splits=["test"] * 5 + ["train"] * 195))
    found = rows(store, {"kind": "vae"})
    assert {len(row) for row in found.values()} == {5}
    assert draw(found, "few").get_axes()


def test_terms_below_zero_are_drawn():
    history = [{"phase": "fit", "train/vae/kl": 3.0, "train/vae/reconstruction": -7.0, "learning_rate": 1e-3}] * 3
    axis = learning_curves(history).get_axes()[0]
    assert axis.get_yscale() == "linear"
    low, high = axis.get_ylim()
    assert low < -7 < 3 < high


def test_no_sample_is_its_own_nearest(digits):
    found = rows(digits, {"kind": "siamese"})
    assert not any(np.array_equal(*pair) for pair in zip(found["sample"], found["nearest"], strict=True))
