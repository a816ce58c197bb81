"""Each loss of two views beside its paper's formula, written again with numpy, and beside numbers by hand."""

import math

import numpy as np
import pytest
import torch

from ae_pipelines.models.agreements import AGREEMENTS, AgreementChoice

FIRST, SECOND = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
UNCORRELATED = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])


def agreement(kind, **options):
    return AgreementChoice(kind=kind, **options).build()


def nt_xent(first, second, temperature):
    """Chen et al. 2020, eq. 1, pair by pair, and the mean over both views of each sample."""
    views = np.concatenate([first, second]).astype(float)
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    count, losses = len(first), []
    for i in range(2 * count):
        partner = (i + count) % (2 * count)
        others = sum(math.exp(views[i] @ views[k] / temperature) for k in range(2 * count) if k != i)
        losses.append(-math.log(math.exp(views[i] @ views[partner] / temperature) / others))
    return np.mean(losses)


def vicreg(first, second):
    """Bardes et al. 2022, algorithm 1 with its numbers: λ = μ = 25, ν = 1, γ = 1, ε = 1e-4."""
    loss = 25 * np.mean((first - second) ** 2)
    for view in (first, second):
        loss += 25 * np.mean(np.maximum(0, 1 - np.sqrt(view.var(axis=0, ddof=1) + 1e-4)))
        covariance = np.cov(view.T)
        loss += (covariance[~np.eye(len(covariance), dtype=bool)] ** 2).sum() / len(covariance)
    return loss


def barlow(first, second):
    """Zbontar et al. 2021, eq. 1 with λ = 5e-3."""
    width = first.shape[1]
    correlation = np.corrcoef(first.T, second.T)[:width, width:]
    loss = sum((1 - correlation[i, i]) ** 2 for i in range(width))
    return loss + 5e-3 * sum(correlation[i, j] ** 2 for i in range(width) for j in range(width) if i != j)


def byol(first, second):
    """Grill et al. 2020, eq. 2: ‖q/‖q‖ - z/‖z‖‖², averaged over the batch."""
    unit = [view / np.linalg.norm(view, axis=1, keepdims=True) for view in (first, second)]
    return ((unit[0] - unit[1]) ** 2).sum(axis=1).mean()


def simclr(first, second):
    return nt_xent(first, second, temperature=0.5)


@pytest.mark.parametrize("formula", [simclr, vicreg, barlow, byol], ids=lambda formula: formula.__name__)
def test_a_loss_with_its_defaults_equals_the_papers_formula(formula):
    found = agreement(formula.__name__)(FIRST, SECOND).item()
    assert found == pytest.approx(formula(FIRST.numpy().astype(float), SECOND.numpy().astype(float)), rel=1e-5)


def test_options_are_the_numbers_of_the_formulas():
    temperature = agreement("simclr", temperature=0.1)(FIRST, SECOND).item()
    assert temperature == pytest.approx(nt_xent(FIRST.numpy(), SECOND.numpy(), 0.1), rel=1e-5)
    only = {"invariance": 0.0, "variance": 0.0, "covariance": 0.0}
    parts = sum(agreement("vicreg", **only | {name: 1.0})(FIRST, SECOND) * times for name, times in
                [("invariance", 25), ("variance", 25), ("covariance", 1)])  # fmt: skip
    assert parts.item() == pytest.approx(agreement("vicreg")(FIRST, SECOND).item(), rel=1e-5)
    apart, together = (agreement("barlow", redundancy=weight)(FIRST, SECOND) for weight in (1.0, 0.0))
    assert (together + 5e-3 * (apart - together)).item() == pytest.approx(
        agreement("barlow")(FIRST, SECOND).item(), rel=1e-5
    )


def test_simclr_of_two_orthogonal_samples_whose_views_are_equal():
    """The partner has similarity 1, both views of the other sample 0."""
    views = torch.eye(2)
    assert agreement("simclr")(views, 3 * views).item() == pytest.approx(math.log(1 + 2 * math.exp(-1 / 0.5)))


@pytest.mark.parametrize("kind", ["vicreg", "barlow", "byol"])
def test_equal_views_of_uncorrelated_values_cost_nothing(kind):
    assert agreement(kind)(UNCORRELATED, UNCORRELATED).item() == pytest.approx(0, abs=1e-6)


def test_views_that_all_collapse_cost_more_than_views_that_differ():
    """Except for byol, whose teacher has to prevent it."""
    point = torch.ones(4, 2) + 1e-4 * UNCORRELATED.flip(1)
    for kind in ("simclr", "vicreg"):
        assert agreement(kind)(point, point) > agreement(kind)(UNCORRELATED, UNCORRELATED) + 0.1


@pytest.mark.parametrize("kind", AGREEMENTS.kinds())
def test_the_order_of_samples_does_not_matter_but_who_belongs_to_whom(kind):
    loss, order = agreement(kind), torch.tensor([3, 0, 5, 1, 4, 2])
    near = FIRST + 0.1 * SECOND
    torch.testing.assert_close(loss(FIRST[order], near[order]), loss(FIRST, near))
    assert loss(FIRST, near) < loss(FIRST, near[order])


@pytest.mark.parametrize("kind", AGREEMENTS.kinds())
def test_a_last_batch_of_one_sample_costs_a_finite_amount(kind):
    assert torch.isfinite(agreement(kind)(FIRST[:1], SECOND[:1]))


def test_the_momentum_of_a_teacher_rises_from_its_start_to_1_by_half_a_cosine():
    """Grill et al. 2020, section 3.2: 1 - (1 - τ)(cos(πk/K) + 1)/2 with τ = 0.996."""
    byol = agreement("byol")
    assert [byol.momentum(done) for done in (0, 0.5, 1)] == pytest.approx([0.996, 0.998, 1.0])
    assert agreement("byol", teacher_momentum=0.9).momentum(1 / 3) == pytest.approx(1 - 0.1 * 0.75)
