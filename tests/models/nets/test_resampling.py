import itertools

import pytest
import torch
from torch import nn

from ae_pipelines.models.nets.resampling import DOWN, UP, Unpool


@pytest.mark.parametrize("after", [(6, 8), (5, 8), (5, 7)], ids=str)
def test_pixel_shuffle_puts_channels_where_shi_et_al_say(after):
    """Shi et al. 2016, eq. 4 with r = 2, in PyTorch's order of channels: c·r² + r·mod(y, r) + mod(x, r)."""
    convolution, *shuffle = UP["pixel_shuffle"](3, 2, (3, 4), after, True)
    h = convolution(torch.randn(2, 3, 3, 4))
    out = nn.Sequential(*shuffle)(h)
    assert out.shape == (2, 2, *after)
    for n, c, y, x in itertools.product(range(2), range(2), range(after[0]), range(after[1])):
        assert out[n, c, y, x] == h[n, 4 * c + 2 * (y % 2) + x % 2, y // 2, x // 2]


def test_unpooling_puts_values_in_upper_left_corners():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 1, 2, 2)
    full = [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    assert Unpool((4, 4))(x)[0, 0].tolist() == full
    assert Unpool((3, 4))(x)[0, 0].tolist() == full[:3]
    assert Unpool((3, 3))(x)[0, 0].tolist() == [row[:3] for row in full[:3]]


def test_gradients_of_unpooling_go_back_to_the_values():
    x = torch.zeros(1, 1, 2, 2, requires_grad=True)
    weights = torch.arange(16.0).reshape(4, 4)
    (Unpool((4, 4))(x) * weights).sum().backward()
    assert x.grad[0, 0].tolist() == [[0, 2], [8, 10]]


def test_transposed_is_the_adjoint_of_stride():
    """⟨down(x), y⟩ = ⟨x, up(y)⟩ with the same weights and no biases, for odd and even sizes."""
    for after in [(6, 8), (5, 8), (5, 7), (1, 1)]:
        before = ((after[0] + 1) // 2, (after[1] + 1) // 2)
        (down,), (up,) = DOWN["stride"](3, 2, False), UP["transposed"](2, 3, before, after, False)
        up.weight = down.weight
        x, y = torch.randn(1, 3, *after), torch.randn(1, 2, *before)
        torch.testing.assert_close((down(x) * y).sum(), (x * up(y)).sum(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("downsample", "expected"),
    [("max_pool", [[4, 6, 5], [7, 8, 9]]), ("average_pool", [[2.5, 3.5, 4.5], [6.5, 7.5, 9]])],
)
def test_pools_take_only_what_is_there_at_odd_edges(downsample, expected):
    _, pool = DOWN[downsample](1, 1, True)
    x = torch.tensor([[1.0, 2, 1, 2, 5], [3, 4, 5, 6, 4], [6, 7, 7, 8, 9]])
    assert pool(x[None, None])[0, 0].tolist() == expected


def test_nearest_repeats_and_bilinear_blends():
    x = torch.tensor([[0.0, 4.0]]).reshape(1, 1, 1, 2)
    nearest, _ = UP["nearest"](1, 1, (1, 2), (2, 4), True)
    bilinear, _ = UP["bilinear"](1, 1, (1, 2), (2, 4), True)
    assert nearest(x)[0, 0].tolist() == [[0, 0, 4, 4]] * 2
    assert bilinear(x)[0, 0].tolist() == [[0, 1, 3, 4]] * 2
