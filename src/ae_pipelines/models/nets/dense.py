"""Fully connected nets."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.nets import NETS, Latent
from ae_pipelines.models.nets.activations import ACTIVATIONS, Activation
from ae_pipelines.models.nets.norms import OF_FEATURES, Norm

Width = Annotated[int, Field(gt=0)]


@NETS.register("dense")
class Dense:
    """Layers of the given widths with an activation between them; the decoder mirrors the encoder.

    The layout of Hinton & Salakhutdinov 2006, with ReLU instead of sigmoid. A hidden layer is linear, norm,
    activation, dropout, in this order. Without widths each half is one linear layer. `tied` makes the weights
    of the decoder the transposed weights of the encoder, with biases of its own (Vincent et al. 2010, section 2.2).
    """

    latent: Latent = "vector"
    flat = True

    def __init__(
        self,
        *,
        widths: list[Width] = [512, 128],  # noqa: B006
        activation: Activation = "relu",
        dropout: Annotated[float, Field(ge=0, lt=1)] = 0,
        norm: Norm = "none",
        tied: bool = False,
    ) -> None:
        self._widths, self._tied = widths, tied
        self._activation, self._dropout, self._norm = activation, dropout, norm
        self._hidden_bias = norm != "batch"

    def encoder(self, shape: tuple[int, ...], outputs: int) -> nn.Sequential:
        self._refuse_if_tied()
        return self._encoder(self._linears([prod(shape), *self._widths, outputs]))

    def decoder(self, inputs: int, shape: tuple[int, ...]) -> nn.Sequential:
        self._refuse_if_tied()
        return self._decoder(self._linears([inputs, *reversed(self._widths), prod(shape)]), shape)

    def pair(
        self, input_shape: tuple[int, ...], latent_size: int, output_shape: tuple[int, ...]
    ) -> tuple[nn.Sequential, nn.Sequential]:
        """Both halves; `InputError` if they are tied and the shapes differ."""
        if not self._tied:
            return self.encoder(input_shape, latent_size), self.decoder(latent_size, output_shape)
        if input_shape != output_shape:
            raise InputError(
                f"tied weights need inputs and outputs of one shape, given {input_shape} and {output_shape}; "
                "set the dense net's tied to false"
            )
        linears = self._linears([prod(input_shape), *self._widths, latent_size])
        return self._encoder(linears), self._decoder(self._transposed(linears), output_shape)

    def _encoder(self, linears: Sequence["Linear"]) -> nn.Sequential:
        first, *others = self._stages(linears)
        return _sequence([[nn.Flatten(), *first], *others])

    def _decoder(self, linears: Sequence["Linear"], shape: tuple[int, ...]) -> nn.Sequential:
        *others, last = self._stages(linears)
        return _sequence([*others, [*last, nn.Unflatten(1, shape)]])

    def _linears(self, sizes: list[int]) -> list[nn.Linear]:
        *hidden, last = pairwise(sizes)
        return [nn.Linear(*ends, bias=self._hidden_bias) for ends in hidden] + [nn.Linear(*last)]

    def _transposed(self, linears: list[nn.Linear]) -> list["TransposedLinear"]:
        first, *others = linears
        hidden = [TransposedLinear(linear, bias=self._hidden_bias) for linear in reversed(others)]
        return [*hidden, TransposedLinear(first, bias=True)]

    def _stages(self, linears: Sequence["Linear"]) -> list[list[nn.Module]]:
        *hidden, last = linears
        return [*([linear, *self._after(linear.out_features)] for linear in hidden), [last]]

    def _after(self, width: int) -> list[nn.Module]:
        """What follows a hidden linear layer."""
        dropout = [nn.Dropout(self._dropout)] if self._dropout else []
        return [*OF_FEATURES[self._norm](width), ACTIVATIONS[self._activation](), *dropout]

    def _refuse_if_tied(self) -> None:
        if self._tied:
            raise InputError(
                "tied weights need an encoder and decoder made as a pair; "
                "choose a method that does so, such as autoencoder, or set the dense net's tied to false"
            )


class TransposedLinear(nn.Module):
    """(batch, outputs of `twin`) → (batch, inputs of `twin`), by the weights of `twin` transposed and its own biases.

    It shares the parameter of its twin: they train as one, and either saves all it needs by itself.
    """

    def __init__(self, twin: nn.Linear, *, bias: bool) -> None:
        super().__init__()
        self.in_features, self.out_features = twin.out_features, twin.in_features
        self.weight = twin.weight
        bound = self.in_features**-0.5  # as nn.Linear initialises a bias
        start = torch.empty(self.out_features).uniform_(-bound, bound)
        self.bias = nn.Parameter(start) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)


Linear = nn.Linear | TransposedLinear


def _sequence(stages: list[list[nn.Module]]) -> nn.Sequential:
    return nn.Sequential(*(nn.Sequential(*layers) for layers in stages))
