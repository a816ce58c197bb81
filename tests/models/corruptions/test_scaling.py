import torch

from ae_pipelines.models.corruptions.scaling import Scaling


def test_each_sample_has_one_factor():
    samples = torch.rand(2000, 3, 4, generator=torch.Generator().manual_seed(0)) + 1
    factors = (Scaling(deviation=0.2)(samples, torch.Generator().manual_seed(0)) / samples).flatten(1)
    torch.testing.assert_close(factors, factors[:, :1].expand_as(factors))
    assert abs(factors[:, 0].mean() - 1) < 0.02
    assert abs(factors[:, 0].std() - 0.2) < 0.01
