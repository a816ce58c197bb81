"""One module as one file."""

import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring.onnx.files import answers, note, onnx_of, values

X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)


class Doubled(nn.Module):
    def forward(self, x):
        return x.new_ones(len(x), 1) + 2 * x  # a length of a tensor must not fix the batch size


class FixedBatch(nn.Module):
    def forward(self, x):
        return x + torch.ones(3, 4)


class NoCounterpart(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


def made(module):
    return onnx_of(module, (torch.from_numpy(X[:3]),), ["x"], ["y"], "doubled")


def test_any_number_of_rows_is_taken_and_named_batch():
    model = made(Doubled())
    assert values(model.graph.input)[0].model_dump() == {"name": "x", "dtype": "float32", "shape": ("batch", 4)}
    assert values(model.graph.output)[0].shape == ("batch", 4)
    for rows in (1, 2, 9):
        np.testing.assert_allclose(
            answers(model.SerializeToString(), {"x": X[:rows]})["y"], 1 + 2 * X[:rows], rtol=1e-6
        )


def test_a_file_holds_nothing_of_the_place_where_it_was_made_and_is_the_same_again():
    model = made(Doubled())
    content = model.SerializeToString(deterministic=True)
    assert b"test_files" not in content
    assert b".py" not in content
    assert made(Doubled()).SerializeToString(deterministic=True) == content
    onnx.checker.check_model(model)


def test_notes_are_in_the_file_itself():
    model = made(Doubled())
    note(model, classes=["a", "b"], recipe="dense")
    assert {entry.key: entry.value for entry in model.metadata_props} == {"classes": '["a", "b"]', "recipe": "dense"}


@pytest.mark.parametrize("module", [FixedBatch(), NoCounterpart()], ids=["fixed batch", "no counterpart"])
def test_what_cannot_be_exported_is_refused_with_the_name_of_the_file(module):
    with pytest.raises(InputError, match=r"doubled\.onnx cannot be made: \w+"):
        made(module)


def test_the_exporter_does_not_talk_and_others_still_may(caplog):
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.INFO):
        warnings.simplefilter("always")
        made(Doubled())
        warnings.warn("ours")
        logging.getLogger("torch.onnx").warning("after")
    assert [str(one.message) for one in caught] == ["ours"]
    assert [record.getMessage() for record in caplog.records] == ["after"]
