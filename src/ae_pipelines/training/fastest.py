"""With how many threads, and in which memory format, a model trains fastest on this machine: tried once, and kept.

In `channels_last` the channels of a pixel lie beside each other, which is how convolutions compute on CPUs; where
images and weights lie otherwise, each convolution rearranges them first. On how many threads that pays differs from
net to net.
"""

import copy
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from ae_pipelines.base import remembered
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.executors import cpus
from ae_pipelines.models import moving
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.method import Method
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.precision import Precision, computing

MemoryFormat = Literal["contiguous", "channels_last"]
Computing = Callable[[], AbstractContextManager[object]]

FILE = "fastest.json"
MOST_SECONDS = 1.5
"""After which no further step is tried."""
ROUNDS = 5
WORTH = 0.95
"""What channels_last may take at most of the time of contiguous, so that chance does not choose between equals."""


class Setup(NamedTuple):
    """How a model computes on a CPU."""

    threads: int
    memory_format: MemoryFormat


@contextmanager
def laid_out(model: nn.Module, memory_format: MemoryFormat) -> Iterator[None]:
    """In this context the weights of convolutions lie so; afterwards as torch makes them."""
    if memory_format == "contiguous":
        yield
        return
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    try:
        yield
    finally:
        model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def settled(
    options: TrainOptions,
    kept: Mapping[str, Any] | None,
    model: Method,
    batch: Callable[[], Batch],
    precision: Precision,
    device: torch.device,
) -> Setup:
    """How a training computes: one that is done again keeps what its checkpoint says, since anything else rounds
    differently; else as the options say; and what they leave open is tried on a batch, on CPUs. GPUs multiply numbers
    of fewer bits in blocks, which take the channels of a pixel side by side."""
    if kept is not None:
        return Setup(int(kept["threads"]), kept.get("memory_format", "contiguous"))
    threads, memory_format = options.threads, options.memory_format
    if device.type != "cpu" or not moving(model.phases()):
        if memory_format == "auto":
            blocks = device.type == "cuda" and precision != "float32"
            memory_format = _formats(model)[-1] if blocks else "contiguous"
        return Setup((device.type == "cpu" and threads) or torch.get_num_threads(), memory_format)
    formats: list[MemoryFormat] = [memory_format] if memory_format != "auto" else _formats(model)
    setups = [Setup(count, one) for count in ([threads] if threads else _counts()) for one in formats]
    if len(setups) == 1:
        return setups[0]
    return remembered_or_tried(model, batch(), setups, partial(computing, precision, device))


def remembered_or_tried(model: Method, batch: Batch, setups: list[Setup], computing: Computing = nullcontext) -> Setup:
    """The fastest of `setups`: what was found before on such a machine for such a model and batch, else what is found
    now. What was found while the machine was busy is tried again as soon as it is not."""
    key, busy = _key(model, batch, setups, computing), _busy()
    known = remembered.recall(FILE, key)
    if isinstance(known, dict) and (busy or not known.get("busy")):
        for setup in setups:
            if known.items() >= setup._asdict().items():
                return setup
    found = fastest(model, batch, setups, computing)
    remembered.keep(FILE, key, found._asdict() | {"busy": busy})
    return found


def fastest(model: Method, batch: Batch, setups: list[Setup], computing: Computing = nullcontext) -> Setup:
    """In which of `setups` copies of `model` compute a step on `batch` fastest. It ends with the step that is under
    way after `MOST_SECONDS`, so the most promising setups come first."""
    seconds: dict[Setup, list[float]] = {setup: [] for setup in setups}
    until = time.perf_counter() + MOST_SECONDS
    with torch.random.fork_rng():
        trials = {memory_format: copy.deepcopy(model) for memory_format in {setup.memory_format for setup in setups}}
        for memory_format, trial in trials.items():
            if memory_format == "channels_last":
                trial.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for setup in setups * ROUNDS:  # in turns, so that other load on the machine slows all of them
            if time.perf_counter() > until and seconds[setups[0]]:
                break
            torch.set_num_threads(setup.threads)
            seconds[setup].append(_seconds(trials[setup.memory_format], batch, computing))
    return _least(seconds)


def _least(seconds: dict[Setup, list[float]]) -> Setup:
    """The setup with the least time; the first of several steps does not count, since it takes memory."""
    warm = {setup: taken[1:] for setup, taken in seconds.items()}
    counts = warm if all(warm.values()) else {setup: taken for setup, taken in seconds.items() if taken}
    return min(counts, key=lambda one: min(counts[one]) / (WORTH if one.memory_format == "channels_last" else 1.0))


def _seconds(trial: Method, batch: Batch, computing: Computing) -> float:
    player = moving(trial.phases())[0].players[0]
    trial.zero_grad(set_to_none=True)
    started = time.perf_counter()
    with computing():
        terms = player.terms(batch)
    torch.stack(list(terms.values())).sum().backward(inputs=player.parameters)
    return time.perf_counter() - started


def _formats(model: Method) -> list[MemoryFormat]:
    convolutions = any(isinstance(part, nn.Conv2d | nn.ConvTranspose2d) for part in model.modules())
    return ["contiguous", "channels_last"] if convolutions else ["contiguous"]


def _counts() -> list[int]:
    """All CPUs that we may use, then powers of two below."""
    most = cpus()
    return [most, *(2**k for k in range(most.bit_length() - 1, -1, -1) if 2**k < most)]


def _busy() -> bool:
    """Whether more work than there are CPUs has been waiting for them in the last minute."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > cpus()


def _key(model: Method, batch: Batch, setups: list[Setup], computing: Computing) -> str:
    """What a choice holds for: machine, torch, model, batch and precision."""
    tensors = [[name, *tensor.shape] for name, tensor in model.state_dict().items()]
    trained = [parameter.requires_grad for parameter in model.parameters()]
    shapes = [list(part.shape) for part in (batch.input, batch.target)] + [batch.second is not None]
    with computing():
        autocast = torch.is_autocast_enabled("cpu")
    capabilities = sorted(map(str, torch.cpu.get_capabilities().items()))
    found = canonical_sha256([_cpu(), capabilities, str(model), tensors, trained, shapes, autocast, setups])
    precision = "bfloat16" if autocast else "float32"
    return f"{_cpu()}, {cpus()} CPUs, torch {torch.__version__}, {type(model).__name__} in {precision}, {found[:16]}"


def _cpu() -> str:
    """The processor's name, as far as the system says it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
