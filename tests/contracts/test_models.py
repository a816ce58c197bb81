"""What every registered method must do, with every registered net."""

import pytest
import torch

from ae_pipelines.batches import Batch
from ae_pipelines.contract import SampleSpec
from ae_pipelines.models import MODELS, ModelChoice
from ae_pipelines.nets import NETS

SPEC = SampleSpec(shape=(1, 9, 7), dtype="uint8")


@pytest.fixture(params=[(kind, net) for kind in MODELS.kinds() for net in NETS.kinds()], ids="-".join)
def model(request):
    kind, net = request.param
    torch.manual_seed(0)
    return ModelChoice(kind=kind, net={"kind": net}, latent_size=5).build(SPEC)


@pytest.fixture
def batch():
    x = torch.rand(16, *SPEC.shape, generator=torch.Generator().manual_seed(1))
    return Batch(x, x, torch.arange(16))


def players(model):
    return [player for phase in model.phases() for player in phase.players]


def test_each_player_moves_its_own_parameters_and_no_others(model, batch):
    for player in players(model):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        optimiser = torch.optim.Adam(player.parameters, 1e-2)
        model.zero_grad()
        sum(player.terms(batch).values()).backward()
        optimiser.step()
        own = {id(p) for p in player.parameters}
        for name, parameter in model.named_parameters():
            assert torch.equal(parameter, before[name]) != (id(parameter) in own), name


def test_each_player_lowers_its_own_loss(model, batch):
    for player in players(model):
        optimiser = torch.optim.Adam(player.parameters, 3e-3)
        losses = []
        for _ in range(60):
            loss = sum(player.terms(batch).values())
            model.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert losses[-1] < 0.9 * losses[0]


def test_loss_terms_are_scalars_with_names(model, batch):
    for player in players(model):
        terms = player.terms(batch)
        assert terms
        assert all(isinstance(name, str) and value.ndim == 0 for name, value in terms.items())


def test_encoding_is_deterministic_and_of_the_promised_size(model, batch):
    model.eval()
    z = model.encode(batch.input)
    assert z.shape == (16, model.latent_size) == (16, 5)
    assert torch.equal(z, model.encode(batch.input))


def test_decoded_images_lie_between_0_and_1(model):
    x = model.eval().decode(100 * torch.randn(8, 5))
    assert x.shape == (8, *SPEC.shape)
    assert 0 <= x.min() <= x.max() <= 1


def test_unbounded_data_are_decoded_without_bounds():
    model = ModelChoice(kind="autoencoder").build(SampleSpec(shape=(4,), dtype="float32"))
    assert model.decode(1000 * torch.randn(8, 32)).abs().max() > 1


def test_bfloat16_terms_are_near_float32(model, batch):
    for player in players(model):
        full = player.terms(batch)
        with torch.autocast("cpu", torch.bfloat16):
            half = player.terms(batch)
        for name, value in full.items():
            assert half[name].item() == pytest.approx(value.item(), rel=0.02)
