import pytest

from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.schedules import learning_rate


def rate(schedule, done):
    return learning_rate(TrainOptions(learning_rate=1.0, schedule=schedule), done)


def test_constant_stays():
    assert rate("constant", 0.0) == rate("constant", 0.9) == 1.0


def test_cosine_falls_from_the_peak_to_zero():
    assert rate("cosine", 0.0) == 1.0
    assert rate("cosine", 0.5) == pytest.approx(0.5)
    assert rate("cosine", 1.0) == pytest.approx(0.0)


def test_one_cycle_matches_torch_at_every_step():
    import torch

    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    steps = 200
    reference = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1.0, total_steps=steps, cycle_momentum=False)
    for step in range(steps):
        # torch reaches the peak at step 0.3 * steps - 1 and the end at the last step: half a step either way
        assert rate("one_cycle", step / steps) == pytest.approx(reference.get_last_lr()[0], abs=0.03)
        optimiser.step()
        if step + 1 < steps:
            reference.step()
