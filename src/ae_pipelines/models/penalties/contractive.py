"""Latents that hardly move when the input does."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.models.batch import Batch
from ae_pipelines.models.penalties import PENALTIES, Penalty, Weight

ELEMENTWISE = (
    nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.PReLU,
    nn.ReLU, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softsign, nn.Tanh, nn.Tanhshrink,
)  # fmt: skip


@PENALTIES.register("contractive")
@dataclass(frozen=True, kw_only=True)
class Contractive(Penalty):
    """‖∂z/∂x‖²_F, summed over latents and features, averaged over the batch (Rifai et al. 2011).

    Exact for one linear layer, with or without an elementwise activation, dropout taken as absent: Σⱼ s'(aⱼ)² ‖Wⱼ‖².
    Departure for any other encoder: Hutchinson's unbiased estimate, the mean of ‖vᵀ ∂z/∂x‖² over `probes`
    v ~ N(0, I) from torch's global generator, one backward pass each. With batch normalisation in training,
    a sample's x moves the z of others too, and that counts.
    Where z has no path to an x that requires grad, as in validation, x is encoded again.
    The paper sums its reconstruction error over features: divide its weight by the number of features.
    """

    weight: Weight
    probes: Annotated[int, Field(gt=0)] = 1

    def __call__(self, encoder: nn.Module, batch: Batch, z: Tensor) -> Tensor:
        if self.weight == 0:
            return z.new_zeros((), dtype=torch.float32)
        x = batch.input
        learning = torch.is_grad_enabled()
        layers = list(_layers(encoder))
        with torch.enable_grad():
            match [layer for layer in layers if not isinstance(layer, nn.Flatten)]:
                case [nn.Linear() as linear, *after] if all(isinstance(layer, ELEMENTWISE) for layer in after):
                    place = layers.index(linear) + 1
                    before, activation = nn.Sequential(*layers[:place]), nn.Sequential(*layers[place:])
                    squares = _of_one_layer(before, linear, activation, x, learning)
                case _:
                    squares = _estimate(encoder, x, z, self.probes, learning)
        return self.weight * squares  # outside enable_grad: without a graph in validation


def _layers(encoder: nn.Module) -> Iterator[nn.Module]:
    """The layers of nested `nn.Sequential`, in order, without those that do nothing in evaluation."""
    if isinstance(encoder, nn.Sequential):
        for part in encoder:
            yield from _layers(part)
    elif not isinstance(encoder, nn.Identity | nn.Dropout):
        yield encoder


def _of_one_layer(before: nn.Sequential, linear: nn.Linear, activation: nn.Module, x: Tensor, learning: bool) -> Tensor:
    """Σⱼ s'(aⱼ)² ‖Wⱼ‖² with a = `before`(x), averaged over the batch."""
    a = before(x if x.requires_grad else x.detach().requires_grad_()).float()
    s = activation(a.clone())  # an in-place activation must not change a
    (slope,) = torch.autograd.grad(s.sum(), a, create_graph=learning)  # (batch, ..., d)
    return (slope.square() * linear.weight.square().sum(1)).sum() / len(x)


def _estimate(encoder: nn.Module, x: Tensor, z: Tensor, probes: int, learning: bool) -> Tensor:
    """Mean over `probes` of ‖vᵀ ∂z/∂x‖², averaged over the batch."""
    if not (x.requires_grad and z.requires_grad):
        x = x.detach().requires_grad_()
        z = encoder(x)
    z = z.float()
    squares = []
    for _ in range(probes):
        (v_jacobian,) = torch.autograd.grad(z, x, torch.randn_like(z), retain_graph=True, create_graph=learning)
        squares.append(v_jacobian.float().square().sum())
    return torch.stack(squares).mean() / len(x)
