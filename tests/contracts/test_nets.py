"""What every registered net must do."""

import pytest
import torch

from ae_pipelines.nets import NETS, NetChoice

SHAPES = [(1, 28, 28), (3, 32, 32), (1, 8, 8), (1, 7, 5), (4, 13, 1), (2, 1, 1), (3, 30, 17)]


@pytest.fixture(params=NETS.kinds())
def net(request):
    return NetChoice(kind=request.param).build()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_encoder_and_decoder_keep_the_shape_of_any_sample(net, shape):
    x = torch.rand(3, *shape)
    z = net.encoder(shape, 6)(x)
    assert z.shape == (3, 6)
    assert net.decoder(6, shape)(z).shape == x.shape


def test_the_same_seed_makes_the_same_weights(net):
    def weights(seed):
        torch.manual_seed(seed)
        module = torch.nn.ModuleList([net.encoder((1, 9, 9), 4), net.decoder(4, (1, 9, 9))])
        return torch.cat([p.reshape(-1) for p in module.parameters()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_every_output_depends_on_the_latent(net):
    decoder = net.decoder(4, (2, 9, 11))
    z = torch.randn(64, 4)
    assert (decoder(z).std(dim=0) > 0).float().mean() > 0.99


def test_samples_of_a_batch_do_not_mix(net):
    encoder = net.encoder((1, 9, 9), 4).eval()
    x = torch.rand(5, 1, 9, 9)
    torch.testing.assert_close(encoder(x)[2:3], encoder(x[2:3]), atol=1e-5, rtol=1e-4)
