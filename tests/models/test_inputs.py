import numpy as np
import pytest
import torch

from ae_pipelines.models.inputs import as_input, as_tensor, inputs
from ae_pipelines.samples.spec import SampleSpec

VALUES = np.random.default_rng(0).integers(0, 65_536, (40, 1, 3, 4), np.uint16)


@pytest.mark.parametrize(
    ("dtype", "preprocessing"),
    [
        ("uint8", {}),
        ("uint8", {"range": [3, 20]}),
        ("uint16", {}),
        ("uint16", {"range": [12, 3901]}),
        ("uint16", {"range": [0, 4095]}),
        ("float32", {}),
    ],
)
def test_torch_and_numpy_give_the_same_bits(dtype, preprocessing):
    spec = SampleSpec(shape=(1, 3, 4), dtype=dtype, preprocessing=preprocessing)
    stored = VALUES.astype(dtype)
    found = inputs(stored, spec)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), spec.as_input(stored))
    np.testing.assert_array_equal(
        as_input(torch.from_numpy(stored.copy()), spec.scaling).numpy(), spec.as_input(stored)
    )


def test_8_bits_are_multiplied_by_a_255th_and_nothing_else():
    stored = VALUES.astype(np.uint8)
    expected = torch.from_numpy(stored).to(torch.float32).mul_(1 / 255)
    assert torch.equal(inputs(stored, SampleSpec(shape=(1, 3, 4), dtype="uint8")), expected)


def test_what_torch_indexes_takes_as_much_memory_as_what_is_stored():
    tensor = as_tensor(VALUES)
    assert tensor.element_size() == 2
    rows = torch.tensor([7, 3, 39])
    spec = SampleSpec(shape=(1, 3, 4), dtype="uint16")
    np.testing.assert_array_equal(as_input(tensor[rows], spec.scaling).numpy(), spec.as_input(VALUES[rows.numpy()]))
