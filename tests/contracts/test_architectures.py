"""What every registered architecture must do, whatever its weights are."""

import pytest
import torch
from small_architecture import SMALL

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import elsewhere
from ae_pipelines.models.architectures import ARCHITECTURES, ArchitectureChoice

OPTIONS = {"timm": {"name": "resnet18"}}
"""Those without a default."""
KINDS = sorted({*ARCHITECTURES.kinds(), SMALL["architecture"]["kind"]})
SIDE = 64


@pytest.fixture(params=KINDS)
def architecture(request):
    try:
        built = ArchitectureChoice(kind=request.param, **OPTIONS.get(request.param, {})).build()
        built.layers(SIDE)
    except InputError as error:
        pytest.skip(str(error))
    return built


def test_each_image_becomes_a_vector_of_its_own(architecture):
    x = torch.rand(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    layers = architecture.layers(SIDE).eval()
    with torch.no_grad():
        features, turned = layers(x), layers(x.flip(0))
    assert features.ndim == 2, "pool over all positions"
    torch.testing.assert_close(turned, features.flip(0), rtol=1e-3, atol=1e-5)


def test_a_file_with_a_classifier_fits(architecture, tmp_path):
    layers = architecture.layers(SIDE)
    tensors = {name: torch.ones_like(tensor) for name, tensor in layers.state_dict().items()}
    more = {f"{name}weight": torch.zeros(2) for name in architecture.without}
    elsewhere.give(layers, tensors | more, architecture.without, tmp_path, "this one")
    assert all((tensor == 1).all() for tensor in layers.state_dict().values()), "without names layers, too"


def test_colours_are_moved_and_divided_by_shares_of_their_range(architecture):
    assert len(architecture.mean) == len(architecture.deviation) == 3
    assert all(0 <= mean <= 1 for mean in architecture.mean), "of colours in [0, 1], not to 255"
    assert all(0 < deviation <= 1 for deviation in architecture.deviation)
