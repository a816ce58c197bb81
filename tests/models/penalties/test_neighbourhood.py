import pytest
import torch
from making import batch_of
from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.penalties import PenaltyChoice
from ae_pipelines.samples.spec import SampleSpec

X = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))


def penalty(**options):
    return PenaltyChoice(kind="neighbourhood", **{"weight": 1, "components": 2} | options).build()


def test_only_the_first_latents_pay_and_by_their_squared_distance():
    layout = torch.zeros(6, 2)
    expected = X[:, :2].square().mean()
    torch.testing.assert_close(penalty()(nn.Identity(), batch_of(X, layout), X), expected)


def test_latents_at_their_places_pay_nothing():
    assert penalty()(nn.Identity(), batch_of(X, X[:, :2]), X).item() == 0


def test_of_a_map_the_mean_over_positions_counts():
    maps = torch.stack([X - 1, X + 1], dim=2)[..., None]  # (batch, 3, 2, 1), with mean X
    assert penalty()(nn.Identity(), batch_of(X, X[:, :2]), maps).item() == pytest.approx(0, abs=1e-12)


def test_more_components_than_latents_are_refused():
    task = Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8"))
    model = ModelChoice(kind="autoencoder", latent_size=4, penalties=[{"kind": "neighbourhood", "weight": 1}])
    with pytest.raises(InputError, match=r"neighbourhood needs 10 latents, but model.latent_size is 4"):
        model.build(task)


def test_without_a_layout_in_the_batch_there_is_no_such_term():
    task = Task.plain(SampleSpec(shape=(3,), dtype="float32"))
    penalties = [{"kind": "neighbourhood", "weight": 1, "components": 2}]
    model = ModelChoice(kind="autoencoder", latent_size=2, penalties=penalties).build(task)
    assert set(model.terms(batch_of(X))) == {"reconstruction"}
    assert set(model.terms(batch_of(X, X[:, :2]))) == {"reconstruction", "neighbourhood"}
