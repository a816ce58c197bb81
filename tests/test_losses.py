import math

import pytest
import torch

from ae_pipelines.losses import LOSSES, LossChoice


@pytest.mark.parametrize("kind", LOSSES.kinds())
def test_a_loss_is_lowest_where_output_equals_target(kind):
    loss = LossChoice(kind=kind).build()
    target = torch.tensor([[0.2, 0.7]])
    raw = torch.logit(target)
    at_target = loss(raw, target, True)
    for nudge in (-0.1, 0.1):
        assert loss(raw + nudge, target, True) > at_target


def test_mse_is_the_mean_over_features_and_batch():
    raw = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert LossChoice(kind="mse").build()(raw, torch.zeros(2, 2), False) == pytest.approx((1 + 4 + 9 + 16) / 4)


def test_bce_of_an_undecided_output_is_log_2():
    loss = LossChoice(kind="bce").build()(torch.zeros(3, 5), torch.rand(3, 5), True)
    assert loss.item() == pytest.approx(math.log(2))


def test_bce_refuses_unbounded_data():
    with pytest.raises(ValueError, match="use mse for unbounded data"):
        LossChoice(kind="bce").build()(torch.zeros(1, 1), torch.zeros(1, 1), False)
