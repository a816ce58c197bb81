import math

import pytest
import torch
from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec

SPEC = SampleSpec(shape=(1, 8, 8), dtype="uint8")
TASK = Task.plain(SPEC, classes=("a", "b", "c"))
DCGAN = {"kind": "conv", "channels": [8, 16], "norm": "batch"}


def gan(task=TASK, **options):
    torch.manual_seed(0)
    return ModelChoice(kind="gan", **{"latent_size": 4, "net": {"kind": "dense", "widths": [16]}} | options).build(task)


def batch(count=6):
    x = torch.rand(count, *SPEC.shape)
    return Batch(x, x, torch.arange(count), torch.arange(count) % 3)


def test_an_undecided_discriminator_costs_log_2_a_term():
    model = gan()
    for parameter in model.discriminator.parameters():
        parameter.data.zero_()
    for player in model.phases()[0].players:
        for value in player.terms(batch()).values():
            assert value.item() == pytest.approx(math.log(2), rel=1e-5)


def test_the_generator_descends_the_non_saturating_loss():
    """-log D(G(z)), not log(1 - D(G(z))): the gradient is large where the discriminator is sure."""
    model = gan()
    _, generator = model.phases()[0].players
    shown = batch()
    torch.manual_seed(1)
    term = generator.terms(shown)["fooling"]
    torch.manual_seed(1)
    made = model.decode(torch.randn(6, 4))
    expected = -model.discriminator(made)[:, 0].sigmoid().log().mean()
    torch.testing.assert_close(term, expected)


def test_the_discriminators_turn_builds_no_graph_through_the_generator():
    model = gan()
    discriminator = model.phases()[0].players[0]
    sum(discriminator.terms(batch()).values()).backward()
    assert all(parameter.grad is None for parameter in model.decoder.parameters())


def test_a_conditional_generator_and_discriminator_see_the_label():
    model = gan(conditional=True)
    z, x = torch.randn(6, 4), torch.rand(6, *SPEC.shape)
    label = torch.arange(6) % 3
    assert not torch.allclose(model.decode(z, label), model.decode(z, (label + 1) % 3))
    assert not torch.allclose(model._score(x, label), model._score(x, (label + 1) % 3))
    unknown = torch.full((6,), -1)
    torch.testing.assert_close(model._score(x, unknown), model.discriminator(x)[:, 0])


def test_with_the_conv_net_it_is_a_dcgan():
    """Strided convolutions, batch norm but in the first layer of the discriminator and the last of the generator,
    and no dense layers but the one that takes the noise and the one that gives the score."""
    model = gan(net=DCGAN)
    generator = [type(part) for part in model.decoder.modules()]
    discriminator = [type(part) for part in model.discriminator.modules()]
    for half in (generator, discriminator):
        assert half.count(nn.Linear) == 1
        assert nn.MaxPool2d not in half
        assert nn.AvgPool2d not in half
    assert generator.count(nn.ConvTranspose2d) == discriminator.count(nn.Conv2d) == 2
    assert generator[-1] is nn.ConvTranspose2d
    first = [kind for kind in discriminator if kind in (nn.Conv2d, nn.BatchNorm2d)]
    assert first == [nn.Conv2d, nn.Conv2d, nn.BatchNorm2d]


def test_weights_start_from_the_given_scale():
    model = gan(net={"kind": "dense", "widths": [256]}, weight_scale=0.02)
    weights = torch.cat([part.weight.flatten() for part in model.modules() if isinstance(part, nn.Linear)])
    assert weights.std().item() == pytest.approx(0.02, rel=0.05)


def test_fresh_residual_blocks_stay_the_identity():
    model = gan(net=DCGAN | {"residual_blocks": 1}, weight_scale=0.02)
    blocks = [part for part in model.modules() if type(part).__name__ == "Residual"]
    assert blocks
    assert not any(block.branch[-1].weight.any() for block in blocks)


def test_the_discriminator_may_have_its_own_net():
    model = gan(discriminator={"kind": "dense", "widths": [5]})
    assert model.discriminator[0][1].out_features == 5
    assert model.decoder[0][0].out_features == 16


def test_weights_are_the_last_ones_since_losses_do_not_tell_which_are_best():
    assert not gan().phases()[0].judged


def test_conditions_need_labels():
    with pytest.raises(InputError, match="a conditional gan needs labels of at least two classes, but .* 0 different"):
        gan(Task.plain(SPEC), conditional=True)
