"""The model of a recipe, layer by layer, before anything is trained."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import training_shape
from ae_pipelines.models.method import Method
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trial import TRIED, zeros

FLOAT_BYTES = 4
SIZES = (("in_channels", "out_channels"), ("in_features", "out_features"))
"""Attributes of torch's layers that say what goes in and comes out."""


@dataclass(frozen=True)
class Layer:
    """One layer, and what it does to one sample."""

    place: str
    """Its name in the method, such as encoder.0.1: what comes first is the part of the method it belongs to."""
    kind: str
    output: tuple[int, ...]
    """Shape of what it gives, without the batch axis."""
    parameters: int
    """Those that no layer before it has: tied weights count once."""
    activation_bytes: int
    """Memory of what it gives, float32; none where that is its input in another shape."""
    multiply_adds: int
    """Of matrix products and convolutions; all else is small beside them."""
    only_in_training: bool
    """Whether it is used for nothing else, as a projector or a discriminator."""

    @property
    def part(self) -> str:
        return self.place.partition(".")[0]


@dataclass(frozen=True)
class Outline:
    """The model that a recipe makes for some samples."""

    layers: list[Layer]
    input_shape: tuple[int, ...]
    """Of what it takes; corruptions may make it another than that of samples."""
    training_shape: tuple[int, ...]
    """Of what it takes in training, where crops may be smaller."""
    latent_shape: tuple[int, ...]
    """(d,), or (d, height, width) of feature maps; () for a method without latents."""
    parameters: int
    """What gradients move, or have moved elsewhere."""
    buffers: int
    """Numbers that are learned without gradients: statistics, directions, a dictionary."""
    file_bytes: int
    """Size of the file of weights, without the text in it."""


def layers(recipe: Recipe, spec: SampleSpec, classes: tuple[str, ...] = ()) -> list[Layer]:
    """The layers of a recipe's model for samples like these, in the order in which a sample passes them."""
    return outline(recipe, spec, classes).layers


def outline(recipe: Recipe, spec: SampleSpec, classes: tuple[str, ...] = ()) -> Outline:
    """The model that a recipe makes for samples like these, with random weights: those of nets that were trained
    elsewhere are not read. `InputError` if it cannot be made, as for a method that needs labels where there are no
    `classes`."""
    task = recipe.task_for(spec, classes)
    with torch.random.fork_rng():
        model: Method = recipe.model.build(task)
        shape = training_shape([choice.build() for choice in recipe.loader.corruptions], spec)
        passed = _Passed(model.eval())
        with FlopCounterMode(display=False) as counter, passed.watched(counter):
            with torch.no_grad():
                latent = _put_to_work(model, task)
            passed.only_in_training = True
            if passed.lacks_some:
                _train_a_step(model, task, shape)
    tensors = model.state_dict()
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Outline(
        layers=passed.layers,
        input_shape=task.input_shape,
        training_shape=shape,
        latent_shape=latent,
        parameters=parameters,
        buffers=sum(buffer.numel() for buffer in model.buffers()),
        file_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()),
    )


def _put_to_work(model: Method, task: Task) -> tuple[int, ...]:
    """Pass a sample through all that the method can do; the shape of its latent."""
    x, latent = torch.zeros(1, *task.input_shape), tuple[int, ...]()
    if hasattr(model, "encode"):
        z = model.encode(x)
        latent = tuple(z.shape[1:])
    elif hasattr(model, "decode"):
        z = torch.zeros(1, model.latent_size)
        latent = (model.latent_size,)
    if hasattr(model, "decode"):
        model.decode(z)
    if hasattr(model, "restore"):
        model.restore(x)
    return latent


def _train_a_step(model: Method, task: Task, shape: tuple[int, ...]) -> None:
    """Compute what is minimised, so that layers pass that do nothing else."""
    batch = zeros(model, task, shape, TRIED)
    for player in (player for phase in model.phases() for player in phase.players):
        player.terms(batch)


class _Passed:
    """The layers that samples pass, as they pass them."""

    def __init__(self, model: Method) -> None:
        self.layers: list[Layer] = []
        self.only_in_training = False
        self._names = {module: name for name, module in model.named_modules() if name}
        self._known: set[nn.Module] = set()
        self._counted: set[nn.Parameter] = set()
        self._inside: list[list[int]] = []
        """Of each module that is at work, the multiply-adds when it began, and those of modules within it."""

    @property
    def lacks_some(self) -> bool:
        """Whether the method has parameters in layers that nothing has passed."""
        return any(module not in self._known and [*module.parameters(recurse=False)] for module in self._names)

    @contextmanager
    def watched(self, counter: FlopCounterMode) -> Iterator[None]:
        """Keep what passes; `counter` counts two operations for a multiply-add."""

        def before(module: nn.Module, given: tuple[object, ...]) -> None:
            self._inside.append([counter.get_total_flops() // 2, 0])

        def after(module: nn.Module, given: tuple[object, ...], output: object) -> None:
            start, within = self._inside.pop()
            total = counter.get_total_flops() // 2 - start
            if self._inside:
                self._inside[-1][1] += total
            if isinstance(output, Tensor):
                self._keep(module, given, output, total - within)

        hooks = [module.register_forward_pre_hook(before) for module in self._names]
        hooks += [module.register_forward_hook(after) for module in self._names]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _keep(self, module: nn.Module, given: tuple[object, ...], output: Tensor, multiply_adds: int) -> None:
        """Add a layer: a module that has no others in it, or something of its own beside them. In training only those
        that were at work nowhere else, once."""
        own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if isinstance(module, nn.Identity) or ([*module.children()] and not own and not multiply_adds):
            return
        if self.only_in_training and module in self._known:
            return
        self._known.add(module)
        parameters = {*module.parameters(recurse=False)} - self._counted
        self._counted |= parameters
        values = 0 if _shares_memory(output, given) else prod(output.shape[1:])
        self.layers.append(
            Layer(
                place=self._names[module],
                kind=_kind(module),
                output=tuple(output.shape[1:]),
                parameters=sum(parameter.numel() for parameter in parameters),
                activation_bytes=values * FLOAT_BYTES,
                multiply_adds=multiply_adds // len(output),
                only_in_training=self.only_in_training,
            )
        )


def _shares_memory(output: Tensor, given: tuple[object, ...]) -> bool:
    return any(isinstance(x, Tensor) and x.data_ptr() == output.data_ptr() for x in given)


def _kind(module: nn.Module) -> str:
    """The layer in words: Conv2d 1 -> 32, 3 x 3, stride 2."""
    sizes = [f"{getattr(module, one)} -> {getattr(module, other)}" for one, other in SIZES if hasattr(module, one)]
    words = [" ".join([type(module).__name__, *sizes])]
    if (kernel := getattr(module, "kernel_size", None)) is not None:
        words.append(" x ".join(map(str, _pair(kernel))))
    if max(stride := _pair(getattr(module, "stride", None) or 1)) > 1:
        words.append(f"stride {max(stride)}")
    if (groups := getattr(module, "groups", 1)) > 1:
        words.append(f"{groups} groups")
    return ", ".join(words)


def _pair(size: int | Sequence[int]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)
