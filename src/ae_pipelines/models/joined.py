"""Several encoders side by side."""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import MODELS, ModelChoice, Phase, Player
from ae_pipelines.models.batch import Batch, Loader, clean, first_batches
from ae_pipelines.models.contract import Task
from ae_pipelines.models.method import Half, Method

SAMPLES = 5_000
"""Samples from which it learns how far each part's latents spread, at most."""


@MODELS.register("joined")
class Joined(Method):
    """Latents of several methods one after another, each part's divided by one number, so that no part outweighs the
    others: its variance is 1 on average over its latents.

    The parts learn one after another, each as it would alone, from the same batches, which have what any of them wants.
    Parts that see different things, such as a net with gradients and a dictionary of patches, tell more together than
    either alone.
    """

    needs_option = {"decode": "rebuilt_by"}

    def __init__(
        self,
        task: Task,
        *,
        parts: Annotated[list[ModelChoice], Field(min_length=2)],
        rebuilt_by: Annotated[int, Field(ge=0)] | None = None,
    ) -> None:
        """`parts`: methods with their options. `rebuilt_by`: the part, counted from 0, that rebuilds samples, from its
        own latents alone; None: there is no decoder."""
        super().__init__()
        for choice in parts:
            if not hasattr(MODELS.maker(choice.kind), "encode"):
                raise InputError(f"joined takes methods with an encoder, and {choice.kind} has none: leave it out")
        # What is saved as `encoder` must hold all encoders and nothing else, so a part cannot be a child as a whole:
        # its two halves are, which share their tensors with it, and the part itself is used, not saved.
        self._parts: tuple[Method, ...] = tuple(choice.build(task) for choice in parts)
        self._kinds = [choice.kind for choice in parts]
        self.encoder = Encoders(_half(part, "encoder") for part in self._parts)
        self.rest = nn.ModuleList(
            _without(part, ("encoder", "decoder") if number == rebuilt_by else ("encoder",))
            for number, part in enumerate(self._parts)
        )
        self.latent_size = sum(part.latent_size for part in self._parts)
        self.wants_labels, self.wants_second_view, self.undoes_corruptions, self.takes_corruptions = (
            any(getattr(part, name) for part in self._parts)
            for name in ("wants_labels", "wants_second_view", "undoes_corruptions", "takes_corruptions")
        )
        self.wants_step = any(part.wants_step for part in self._parts)
        self.same_each_step = all(part.same_each_step for part in self._parts)
        self.learns_in_bfloat16 = all(part.learns_in_bfloat16 for part in self._parts if [*part.parameters()])
        layouts = [part.wants_layout for part in self._parts if part.wants_layout is not None]
        if len(layouts) > 1:
            raise InputError("joined takes one part with the penalty neighbourhood, since batches have one layout")
        self.wants_layout = layouts[0] if layouts else None
        self._learning, self._shape = 0, task.input_shape
        if rebuilt_by is not None:
            self.decoder = _decoder_of(self._parts, parts, rebuilt_by)
            self.decode = self._decode

    def _decode(self, z: Tensor) -> Tensor:
        return self.decoder(z)

    def encode(self, x: Tensor) -> Tensor:
        return self.encoder(x)

    def start(self) -> None:
        for part in self._parts:
            part.start()
            self.elsewhere = self.elsewhere or part.elsewhere

    def phases(self) -> list[Phase]:
        return [
            replace(phase, name=self._named(number, phase.name), players=[self._told(number, p) for p in phase.players])
            for number, part in enumerate(self._parts)
            for phase in part.phases()
        ]

    def _told(self, number: int, player: Player) -> Player:
        """A player of part `number`, which alone is told after a step."""

        def terms(batch: Batch) -> dict[str, Tensor]:
            self._learning = number
            return player.terms(batch)

        return replace(player, name=self._named(number, player.name), terms=terms)

    def _named(self, number: int, name: str) -> str:
        """A name in part `number`, under the part's kind, which is numbered where there are several of it."""
        kind, kinds = self._kinds[number], self._kinds
        label = kind if kinds.count(kind) == 1 else f"{kind}_{kinds[: number + 1].count(kind)}"
        return label if name in (kind, "fit") else f"{label}_{name}"

    def after_step(self, done: float) -> None:
        self._parts[self._learning].after_step(done)

    def complete(self, train: Loader) -> None:
        if self._frozen:
            return
        for part in self._parts:
            part.complete(train)
        self.encoder.learn_scales(clean(batch, self._shape) for batch in first_batches(train, SAMPLES))
        if hasattr(self, "decoder"):
            self.decoder.scale.copy_(self.encoder.scales[self.decoder.number])

    def try_completing(self, batch: Batch) -> None:
        for part in self._parts:
            part.try_completing(batch)

    def learned(self) -> list[dict[str, float]]:
        return [row for part in self._parts for row in part.learned()]

    def learns_from(self, labels: Tensor) -> Tensor:
        return torch.stack([part.learns_from(labels) for part in self._parts]).all(0)

    def measures(self, test: Loader) -> dict[str, float]:
        return {name: value for part in self._parts for name, value in part.measures(test).items()}

    def take_encoder(self, tensors: dict[str, Tensor]) -> None:
        super().take_encoder(tensors)
        for number, part in enumerate(self._parts):
            start = f"encoder.parts.{number}."
            part.take_encoder({name.removeprefix(start): t for name, t in tensors.items() if name.startswith(start)})

    def freeze_encoder(self) -> None:
        for part in self._parts:
            part.freeze_encoder()
        super().freeze_encoder()

    def train(self, mode: bool = True) -> "Joined":
        super().train(mode)
        for part in self._parts:  # which are no children, and ask themselves whether they are in training
            part.train(mode)
        return self


class Encoders(nn.Module):
    """What each part needs to encode, and by how much its latents are divided."""

    scales: Tensor

    def __init__(self, parts: Iterator[Method]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.register_buffer("scales", torch.ones(len(self.parts)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([z / scale for z, scale in zip(self._each(x), self.scales.unbind(), strict=True)], 1)

    def learn_scales(self, samples: Iterator[Tensor]) -> None:
        """The root of the mean variance of each part's latents."""
        spreads = [_Spread() for _ in self.parts]
        for x in samples:
            for spread, z in zip(spreads, self._each(x), strict=True):
                spread.add(z)
        self.scales.copy_(torch.stack([spread.scale for spread in spreads]))

    def _each(self, x: Tensor) -> list[Tensor]:
        return [part.vectors(part.encode(x)) for part in self.parts]  # type: ignore[operator]


class PartDecoder(nn.Module):
    """Latents of all parts (batch, latent_size) → samples, by one part's decoder from that part's latents."""

    scale: Tensor

    def __init__(self, part: Method, number: int, first: int) -> None:
        """`first`: where the part's latents begin."""
        super().__init__()
        self.part, self.number = part, number
        self._own = slice(first, first + part.latent_size)
        self.register_buffer("scale", torch.ones(()))

    def forward(self, z: Tensor) -> Tensor:
        samples: Tensor = self.part.decode(z[:, self._own] * self.scale)
        return samples


class _Spread:
    """How far vectors spread, summed batch by batch."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, torch.zeros(()), torch.zeros(())

    def add(self, z: Tensor) -> None:
        z = z.double().cpu()
        self._count, self._sum, self._squares = (
            self._count + len(z),
            self._sum + z.sum(0),
            self._squares + (z**2).sum(0),
        )

    @property
    def scale(self) -> Tensor:
        variance = self._squares / self._count - (self._sum / self._count) ** 2
        return variance.mean().clamp_min(1e-12).sqrt()


def _decoder_of(parts: tuple[Method, ...], choices: list[ModelChoice], number: int) -> PartDecoder:
    """`InputError` if there is no such part, or if samples cannot be rebuilt from its latents."""
    if number >= len(parts):
        raise InputError(f"joined.rebuilt_by: given {number}, but parts are counted from 0 to {len(parts) - 1}")
    part, choice = parts[number], choices[number]
    net = choice.check().get("net")
    if not hasattr(part, "decode") or part.conditional or (net is not None and net.build().latent == "map"):
        raise InputError(
            f"joined.rebuilt_by: part {number}, {choice.kind}, does not rebuild samples from latent vectors alone: "
            "name another part, such as pca, or leave rebuilt_by out"
        )
    first = sum(before.latent_size for before in parts[:number])
    return PartDecoder(_half(part, "decoder"), number, first)


def _half(part: Method, half: Half) -> Method:
    """A copy of `part` that can encode, or decode, and nothing else; what it does that with is not copied."""
    alone = copy.copy(part)
    alone._modules, alone._parameters, alone._buffers = {half: part.get_submodule(half)}, {}, {}
    return alone


def _without(part: Method, halves: tuple[Half, ...]) -> Method:
    """A copy of `part` that has all but these halves. Nothing in it is copied: parameters and buffers of its own lie in
    the same dictionary as the part's, so that what moves them to a device moves both."""
    rest = copy.copy(part)
    rest._modules = {name: child for name, child in part._modules.items() if name not in halves}
    return rest
