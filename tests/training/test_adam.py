import torch

from ae_pipelines.training import adam


def test_vanishing_moments_are_dropped_and_move_no_weight():
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = torch.optim.Adam([weight], fused=True)
    weight.grad = torch.tensor([1e-35, 0.5, 0.0])
    optimiser.step()
    moments = optimiser.state[weight]["exp_avg"].clone()
    adam.drop_denormals(optimiser)
    assert optimiser.state[weight]["exp_avg"].tolist() == [0.0, moments[1].item(), 0.0]


def test_a_restored_moment_lies_in_memory_as_its_weight_does():
    weight = torch.rand(4, 3, 2, 2).to(memory_format=torch.channels_last)
    moment = torch.rand(4, 3, 2, 2)
    restored = adam.laid_out_like(weight, moment)
    assert restored.stride() == weight.stride()
    assert torch.equal(restored, moment)
