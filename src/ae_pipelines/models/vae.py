"""The variational autoencoder."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, Phase, Player
from ae_pipelines.models.batch import Batch, Loader
from ae_pipelines.models.conditions import ConditionalEncoder, joined, refuse_without_labels
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Method, of_vectors
from ae_pipelines.models.nets import NetChoice

IMPORTANCE_SAMPLES = 200


@MODELS.register("vae")
class VAE(Method):
    """Latents are drawn from q(z|x) = N(z_mean, exp(z_log_var)); loss terms are those of the evidence lower
    bound, eq. 7 (Kingma & Welling 2014), summed over features and latents, averaged over the batch, in nats;
    "kl" is reported as it is minimised, times its weight.

    `encode` gives z_mean. If conditional (Sohn et al. 2015), encoder and decoder get the label in training, except
    for a share of samples whose label is hidden from both, so that `encode`, which never gets it, works too, and
    latents do not give away a known label.
    """

    generates = True

    def __init__(
        self,
        task: Task,
        *,
        net: NetChoice = NetChoice(kind="dense"),  # noqa: B008
        latent_size: Annotated[int, Field(gt=0)] = 32,
        likelihood: Literal["bernoulli", "gaussian"] = "bernoulli",
        noise_level: Annotated[float, Field(gt=0)] = 0.1,
        beta: Annotated[float, Field(ge=0)] = 1.0,
        warm_up_steps: Annotated[int, Field(ge=0)] = 0,
        conditional: bool = False,
        hidden_labels: Annotated[float, Field(ge=0, lt=1)] = 0.1,
    ) -> None:
        """`noise_level`: standard deviation of the gaussian likelihood, in units of the input. `beta` weights
        the KL term (Higgins et al. 2017), which grows linearly over `warm_up_steps` batches (Bowman et al.
        2016). `hidden_labels`: share of labels that are hidden from a conditional model in training."""
        super().__init__()
        if likelihood == "bernoulli" and not task.samples.bounded:
            raise InputError("vae: a bernoulli likelihood needs values in [0, 1]: give model.likelihood=gaussian")
        if conditional:
            refuse_without_labels(task, "a conditional vae")
        family = of_vectors(net, "vae")
        self.conditional = self.wants_labels = conditional
        self._classes = len(task.classes) if conditional else 0
        self.latent_size = latent_size
        self.encoder = (
            ConditionalEncoder(family, task.input_shape, 2 * latent_size, self._classes)
            if conditional
            else family.encoder(task.input_shape, 2 * latent_size)
        )
        self.decoder = family.decoder(latent_size + self._classes, task.samples.shape)
        self._bounded = task.samples.bounded
        self._likelihood, self._noise_level = likelihood, noise_level
        self._beta, self._warm_up_steps, self._hidden_labels = beta, warm_up_steps, hidden_labels
        self.wants_step = bool(warm_up_steps)

    def encode(self, x: Tensor) -> Tensor:
        return self._posterior(x)[0]

    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """The likelihood's mean, (batch, *shape)."""
        raw = self._raw(z, label)
        return raw.sigmoid() if self._bounded else raw

    def phases(self) -> list[Phase]:
        return [Phase("fit", [Player("vae", list(self.parameters()), self._terms)])]

    def measures(self, test: Loader) -> dict[str, float]:
        """`nll`: an estimate of -log p(x) in nats, for binary samples only; for a conditional model
        `nll_given_label`, -log p(x|label)."""
        if self._likelihood != "bernoulli":
            return {}
        total, count = 0.0, 0
        for batch in test.epoch(0):
            if not bool(((batch.target == 0) | (batch.target == 1)).all()):
                return {}
            total -= float(self.log_evidence(batch).sum())
            count += len(batch.target)
        return {"nll_given_label" if self.conditional else "nll": total / count}

    def log_evidence(self, batch: Batch, samples: int = IMPORTANCE_SAMPLES) -> Tensor:
        """Importance-weighted estimate of log p(target), (batch,), nats: a lower bound that gets tighter with the
        number of samples (Burda et al. 2016, eq. 8)."""
        z_mean, z_log_var = self._posterior(batch.input, batch.label)
        total = torch.full((len(z_mean),), -math.inf, device=z_mean.device)
        for _ in range(samples):
            noise = torch.randn_like(z_mean)
            z = z_mean + (0.5 * z_log_var).exp() * noise
            prior_to_posterior = 0.5 * (noise.square() + z_log_var - z.square()).sum(1)  # log p(z) - log q(z|x)
            total = torch.logaddexp(total, self._log_likelihood(z, batch.target, batch.label) + prior_to_posterior)
        return total - math.log(samples)

    def _posterior(self, x: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z_mean and z_log_var, each (batch, latent_size)."""
        raw = self.encoder(x, label) if self.conditional else self.encoder(x)
        z_mean, z_log_var = raw.float().chunk(2, dim=1)
        return z_mean, z_log_var

    def _terms(self, batch: Batch) -> dict[str, Tensor]:
        label = self._labels_given(batch.label)
        z_mean, z_log_var = self._posterior(batch.input, label)
        z = z_mean + (0.5 * z_log_var).exp() * torch.randn_like(z_mean)
        return {
            "reconstruction": -self._log_likelihood(z, batch.target, label).mean(),
            "kl": self._kl_weight(batch.step) * kl_to_standard_normal(z_mean, z_log_var).mean(),
        }

    def _kl_weight(self, step: int | Tensor | None) -> float | Tensor:
        if step is None or not self._warm_up_steps:
            return self._beta
        if isinstance(step, Tensor):
            return self._beta * (step / self._warm_up_steps).clamp(max=1)
        if step >= self._warm_up_steps:
            return self._beta
        return self._beta * step / self._warm_up_steps

    def _log_likelihood(self, z: Tensor, target: Tensor, label: Tensor | None = None) -> Tensor:
        """log p(target|z), or log p(target|z, label), (batch,), nats."""
        raw, target = self._raw(z, label).flatten(1), target.flatten(1)
        if self._likelihood == "bernoulli":
            return -F.binary_cross_entropy_with_logits(raw, target, reduction="none").sum(1)
        mean = raw.sigmoid() if self._bounded else raw
        log_scale = math.log(self._noise_level) + 0.5 * math.log(2 * math.pi)
        return -(0.5 * ((target - mean) / self._noise_level).square() + log_scale).sum(1)

    def _labels_given(self, label: Tensor | None) -> Tensor | None:
        """Labels as the model gets them: in training some are hidden."""
        if label is None or not self.training or not self.conditional:
            return label
        hidden = torch.rand(label.shape, device=label.device) < self._hidden_labels
        return label.masked_fill(hidden, -1)

    def _raw(self, z: Tensor, label: Tensor | None) -> Tensor:
        return self.decoder(joined(z, label, self._classes) if self._classes else z)


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) ‖ N(0, 1)) summed over latents, (batch,), nats (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(1)
