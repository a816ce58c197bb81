import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.models.vae import kl_to_standard_normal
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

IMAGES = Task.plain(SampleSpec(shape=(1, 4, 4), dtype="uint8"), classes=("a", "b", "c"))
VECTORS = Task.plain(SampleSpec(shape=(3,), dtype="float32"))


def vae(task=IMAGES, **options):
    torch.manual_seed(0)
    return ModelChoice(kind="vae", latent_size=2, net={"kind": "dense", "widths": [8]}, **options).build(task)


def binary_batch(count=6, step=None):
    x = torch.bernoulli(torch.full((count, 1, 4, 4), 0.4), generator=torch.Generator().manual_seed(1))
    return Batch(x, x, torch.arange(count), torch.arange(count) % 3, step=step)


def test_kl_of_a_standard_normal_is_0():
    assert torch.equal(kl_to_standard_normal(torch.zeros(2, 5), torch.zeros(2, 5)), torch.zeros(2))


def test_kl_equals_that_of_torch_distributions():
    mean, log_var = torch.randn(2, 7, 5)
    posterior = Independent(Normal(mean, (0.5 * log_var).exp()), 1)
    expected = kl_divergence(posterior, Independent(Normal(torch.zeros(5), torch.ones(5)), 1))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_var), expected)


def test_encode_gives_the_mean_of_the_posterior():
    model = vae().eval()
    batch = binary_batch()
    z_mean, z_log_var = model._posterior(batch.input)
    torch.testing.assert_close(model.encode(batch.input), z_mean)
    torch.manual_seed(0)
    noise = torch.stack([torch.randn_like(z_mean) for _ in range(4000)])
    drawn = z_mean + (0.5 * z_log_var).exp() * noise
    torch.testing.assert_close(drawn.mean(0), z_mean, atol=0.1, rtol=0)


def test_the_reconstruction_term_is_the_bernoulli_negative_log_likelihood_summed_over_pixels():
    model = vae().eval()
    batch = binary_batch()
    with torch.no_grad():
        torch.manual_seed(5)
        term = model._terms(batch)["reconstruction"]
        torch.manual_seed(5)
        z_mean, z_log_var = model._posterior(batch.input)
        p = model.decode(z_mean + (0.5 * z_log_var).exp() * torch.randn_like(z_mean))
    expected = -torch.distributions.Bernoulli(p).log_prob(batch.target).sum((1, 2, 3)).mean()
    torch.testing.assert_close(term, expected)


def test_the_gaussian_likelihood_is_that_of_torch_distributions():
    model = vae(VECTORS, likelihood="gaussian", noise_level=0.3).eval()
    x, z = torch.randn(4, 3), torch.randn(4, 2)
    expected = Normal(model.decode(z), 0.3).log_prob(x).sum(1)
    torch.testing.assert_close(model._log_likelihood(z, x), expected)


def test_a_decoder_that_ignores_its_latents_has_the_exact_evidence():
    """Then p(x) is the likelihood itself, whatever the posterior: the importance weights must cancel it."""
    model = vae().eval()
    for parameter in model.decoder.parameters():
        parameter.data.zero_()
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(0.1)  # a posterior near the prior, so that few samples are enough
        estimate = model.log_evidence(binary_batch(), samples=2000)
    torch.testing.assert_close(estimate, torch.full((6,), 16 * math.log(0.5)), atol=0.05, rtol=0)


def test_the_evidence_estimate_is_that_of_numerical_integration():
    model = vae().eval()
    batch = binary_batch()
    axis = torch.linspace(-6, 6, 121)
    z = torch.cartesian_prod(axis, axis)
    prior = Normal(0.0, 1.0).log_prob(z).sum(1)
    with torch.no_grad():
        for row in range(3):
            x = batch.target[row : row + 1].expand(len(z), -1, -1, -1)
            log_joint = model._log_likelihood(z, x) + prior
            exact = torch.logsumexp(log_joint, 0) + 2 * math.log(12 / 120)
            one = Batch(x[:1], x[:1], torch.arange(1))
            assert model.log_evidence(one, samples=5000).item() == pytest.approx(exact.item(), abs=0.02)


def test_more_importance_samples_give_a_tighter_bound():
    model = vae().eval()
    batch = binary_batch(200)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            parameter.mul_(3)  # a bad posterior
        few, many = (model.log_evidence(batch, samples).mean() for samples in (1, 200))
    assert few < many


def test_nll_is_reported_for_binary_samples_only():
    values = torch.randint(0, 256, (20, 1, 4, 4), dtype=torch.uint8)
    model = vae().eval()
    grey = Batches(values, Finish(scale=1 / 255), batch_size=8, shuffle=False)
    binary = Batches(values, Finish(scale=1 / 255, binarise=True), batch_size=8, shuffle=False)
    with torch.no_grad():
        assert model.measures(grey) == {}
        assert 8 < model.measures(binary)["nll"] < 16
        assert vae(likelihood="gaussian").measures(binary) == {}
        assert list(vae(conditional=True).measures(binary)) == ["nll_given_label"]


def test_a_small_kl_is_as_exact_in_bfloat16():
    model = vae()
    for parameter in model.encoder.parameters():
        parameter.data.mul_(0.1)
    batch = binary_batch()
    full = model._terms(batch)["kl"].item()
    with torch.autocast("cpu", torch.bfloat16):
        assert model._terms(batch)["kl"].item() == pytest.approx(full, rel=0.05)


def test_the_kl_term_comes_in_linearly_and_is_weighted_by_beta():
    model = vae(beta=4.0, warm_up_steps=10).eval()

    def kl(step):
        torch.manual_seed(0)
        return model._terms(binary_batch(step=step))["kl"].item()

    assert kl(0) == 0
    assert kl(5) == pytest.approx(kl(10) / 2)
    assert kl(1000) == kl(None) == pytest.approx(4 * vae().eval()._terms(binary_batch())["kl"].item())


@pytest.mark.parametrize("net", [{"kind": "dense", "widths": [8]}, {"kind": "conv", "channels": [4]}])
def test_an_encoder_without_labels_gives_the_latents_of_samples_without_a_label(net):
    model = ModelChoice(kind="vae", latent_size=2, net=net, conditional=True).build(IMAGES).eval()
    batch = binary_batch()
    without, given = (model._posterior(batch.input, label)[0] for label in (torch.full((6,), -1), batch.label))
    torch.testing.assert_close(model.encode(batch.input), without)
    assert not torch.allclose(given, without)


def test_vectors_may_have_labels_too():
    task = Task.plain(SampleSpec(shape=(5,), dtype="float32"), classes=("a", "b"))
    model = vae(task, conditional=True, likelihood="gaussian").eval()
    x = torch.randn(4, 5)
    assert not torch.allclose(model._posterior(x, torch.tensor([0, 1, 0, 1]))[0], model.encode(x))


def test_a_trained_conditional_model_makes_the_requested_class(digits):
    """Judged by the nearest class mean of real digits: most are of the requested class."""
    recipe = Recipe.model_validate(
        {
            "model": {"kind": "vae", "conditional": True, "latent_size": 4, "net": {"kind": "dense", "widths": [128]}},
            "loader": {"batch_size": 64, "binarise": True},
            "training": {"steps": 700, "threads": 1, "learning_rate": 2e-3, "schedule": "one_cycle", "patience": None},
        }
    )
    trained, _ = train(digits, recipe)
    values, labels = digits.read() / 255, digits.label_numbers(digits.classes())
    means = np.stack([values[labels == number].mean(0) for number in range(10)])
    requested = np.arange(500) % 10
    z = np.random.default_rng(0).standard_normal((500, 4))
    made = trained.decode(z, [str(number) for number in requested])
    nearest = np.square(made[:, None] - means[None]).sum((2, 3, 4)).argmin(1)
    assert (nearest == requested).mean() > 0.8


def test_a_decoder_is_given_the_label():
    model = vae(conditional=True).eval()
    batch = binary_batch()
    z = model.encode(batch.input)
    told, other, untold = (model.decode(z, label) for label in (batch.label, (batch.label + 1) % 3, None))
    assert not torch.allclose(told, other)
    assert not torch.allclose(told, untold)
    torch.testing.assert_close(untold, model.decode(z, torch.full((6,), -1)))


def test_in_training_the_given_share_of_labels_is_hidden():
    model = vae(conditional=True, hidden_labels=0.25)
    label = torch.arange(10_000) % 3
    assert (model._labels_given(label) == -1).float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert torch.equal(model.eval()._labels_given(label), label)


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (VECTORS, {}, "a bernoulli likelihood needs values in .0, 1.: give model.likelihood=gaussian"),
        (VECTORS, {"conditional": True, "likelihood": "gaussian"}, "needs labels of at least two classes, but .* 0"),
    ],
)
def test_senseless_options_are_refused(task, options, message):
    with pytest.raises(InputError, match=message):
        vae(task, **options)


def test_a_feature_map_is_refused():
    with pytest.raises(InputError, match="vae needs latent vectors, but model.net.latent is 'map'"):
        ModelChoice(kind="vae", net={"kind": "conv", "latent": "map"}).build(IMAGES)
