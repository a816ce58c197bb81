import pytest
import torch
from making import batch_of
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec

IMAGES = Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8"))


def test_a_linear_output_is_judged_as_it_is_and_cut_where_it_is_decoded():
    torch.manual_seed(0)
    model = ModelChoice(kind="autoencoder", latent_size=4, output="linear").build(IMAGES)
    x = torch.rand(6, 1, 8, 8)
    z = 30 * torch.randn(6, 4)
    raw = model.decoder(z)
    assert raw.min() < 0 < 1 < raw.max()
    assert torch.equal(model.decode(z), raw.clamp(0, 1))
    expected = F.mse_loss(model.decoder(model.encoder(x)), x)
    torch.testing.assert_close(model.terms(batch_of(x))["reconstruction"], expected)


def test_cross_entropy_needs_the_sigmoid():
    model = ModelChoice(kind="autoencoder", latent_size=4, output="linear", loss={"kind": "bce"}).build(IMAGES)
    with pytest.raises(InputError, match=r"bce needs targets in \[0, 1\]"):
        model.terms(batch_of(torch.rand(6, 1, 8, 8)))
