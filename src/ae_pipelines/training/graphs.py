"""A training step as a CUDA graph: recorded once, then launched as a whole instead of kernel by kernel.

What these models do in a step takes a GPU less time than it takes Python to ask for it, so most of an eager step is
waiting. A graph repeats the recorded kernels on the memory that they were recorded with: what differs from step to step
is put there before. These are the rows of the batch (and its samples, if they are streamed), the learning rate, the
number of the step for methods that want it, and the seed of what is random in the batch.
`tests/contracts/test_same_each_step.py` holds every registered part to what can be recorded.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any, Protocol, cast

import torch
from torch import nn

from ae_pipelines.models import Player
from ae_pipelines.models.batch import Loader, global_generator
from ae_pipelines.models.method import Method
from ae_pipelines.training.batches import Drawing, Drawn
from ae_pipelines.training.options import Execution, TrainOptions
from ae_pipelines.training.step import Step

log = logging.getLogger(__name__)

WARM_UP = 3
"""Steps of each phase before one is recorded: libraries choose kernels in them, and the optimiser makes its state."""
TIMED = 20
"""Steps by which a way is judged."""


class Recorder(Protocol):
    """What records work on a device."""

    def aside(self) -> AbstractContextManager[None]:
        """In this context work goes where it can be recorded later."""
        ...

    def record(self, work: Callable[[], None], generator: torch.Generator | None) -> Callable[[], None]:
        """Record `work` without doing it; what is returned does it. `generator`: what it draws from, besides the
        device's global one, both as they are seeded when the work is done. RuntimeError if it cannot be recorded."""
        ...

    def wait(self) -> None:
        """Until all work is done."""
        ...


class CudaGraphs:
    """A recorder for a CUDA device."""

    def __init__(self, device: torch.device) -> None:
        self._device, self._stream = device, torch.cuda.Stream(device)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """On the stream that recording uses: gradients remember the stream on which they were first needed."""
        main = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            yield
        main.wait_stream(self._stream)

    def record(self, work: Callable[[], None], generator: torch.Generator | None) -> Callable[[], None]:
        graph, main = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        of_device = global_generator(self._device)
        before = of_device.clone_state()
        if generator is not None:
            graph.register_generator_state(generator)
        try:
            # other threads may go on reading samples meanwhile
            with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
                work()
        except BaseException:
            torch.cuda.set_stream(main)  # torch leaves its own there, and the generator as if still recorded
            of_device.graphsafe_set_state(before)
            raise
        return graph.replay

    def wait(self) -> None:
        torch.cuda.synchronize(self._device)


class GraphedStep(Step):
    """Steps of a phase that are done eagerly a few times, then recorded, and from then on repeated.

    Those first steps are steps of the training like all others. Unless it is settled, they are timed, and so are the
    first that are repeated; if these are slower, the rest is done eagerly.
    """

    def __init__(
        self,
        model: Method,
        players: list[Player],
        options: TrainOptions,
        computing: Callable[[], AbstractContextManager[object]],
        loader: Drawing,
        device: torch.device,
        recorder: Recorder,
        way: Execution | None = None,
    ) -> None:
        """`way`: what is settled; None: steps are timed."""
        rate = torch.tensor(options.learning_rate, device=device)
        super().__init__(model, players, options, computing, rate)
        self._loader, self._device, self._recorder = loader, device, recorder
        self.way, self._timing = way, way is None
        self._taken, self._clock, self._eager = 0, 0.0, 0.0
        self._repeat: Callable[[], None] | None = None

    def drawn(self, loader: Loader, epoch: int, start: int) -> Iterator[Any]:
        return self._loader.drawn(epoch, start)

    def __call__(self, drawn: Drawn, rate: float, done: float, measuring: bool) -> None:
        self._set_rate(rate)
        if self._repeat is not None:
            self._put(drawn)
            self._repeat()
            if measuring and self._limit is None:
                gradients = [p.grad for p in self.moves[-1][0].parameters if p.grad is not None]
                self._norm = nn.utils.get_total_norm(gradients)
        else:
            with self._recorder.aside():
                self._turns(self._loader.made(drawn), measuring)
        self._follow(done)
        self._taken += 1
        if self.way is None or (self.way != "eager" and self._repeat is None):
            self._judge(drawn)

    def forget(self) -> None:
        for total in self.totals.values():  # the recorded step adds to these very tensors
            total.zero_()

    # -- eager, recorded, or either ----------------------------------------------------------------------

    def _judge(self, drawn: Drawn) -> None:
        if not self._timing:
            if self._taken == WARM_UP:
                self._record(drawn)
        elif self._taken == WARM_UP:
            self._start_clock()
        elif self._taken == WARM_UP + TIMED:
            self._eager = self._seconds_a_step()
            self._record(drawn)
            self._start_clock()
        elif self._taken == WARM_UP + 2 * TIMED:
            self._decide(self._seconds_a_step())

    def _decide(self, recorded: float) -> None:
        self.way = "graph" if recorded < self._eager else "eager"
        if self.way == "eager":
            self._repeat = None
        log.info(
            "training steps are done as %s: %.3f ms recorded as a CUDA graph, %.3f ms one operation after another",
            "a graph" if self.way == "graph" else "they come",
            1000 * recorded,
            1000 * self._eager,
        )

    def _start_clock(self) -> None:
        self._recorder.wait()
        self._clock = time.perf_counter()

    def _seconds_a_step(self) -> float:
        self._recorder.wait()
        return (time.perf_counter() - self._clock) / TIMED

    # -- recording ---------------------------------------------------------------------------------------

    def _record(self, drawn: Drawn) -> None:
        self._rows = drawn.rows.clone()
        self._stored = None if drawn.stored is None else drawn.stored.clone()
        self._number = torch.zeros((), device=self._device) if self._model.wants_step else None
        self._generator = torch.Generator(self._device) if self._loader.finish.draws else None
        static = Drawn(self._rows, self._stored, drawn.epoch, drawn.number, self._number)
        try:
            self._repeat = self._recorder.record(
                lambda: self._turns(self._loader.made(static, self._generator), measuring=False), self._generator
            )
        except RuntimeError as error:
            self.way = "eager"
            log.warning("training steps cannot be recorded as a CUDA graph, so they are done one by one: %s", error)

    def _put(self, drawn: Drawn) -> None:
        """What differs from step to step, where the recorded step looks for it."""
        self._rows.copy_(drawn.rows, non_blocking=True)
        if self._stored is not None and drawn.stored is not None:
            self._stored.copy_(drawn.stored, non_blocking=True)
        if self._number is not None and drawn.step is not None:
            self._number.fill_(drawn.step)
        if self._generator is not None:
            self._generator.manual_seed(self._loader.finish.seed_of(drawn))


def step_for(
    model: Method,
    players: list[Player],
    options: TrainOptions,
    computing: Callable[[], AbstractContextManager[object]],
    loader: Loader,
    device: torch.device,
    kept: Execution | None,
) -> Step:
    """The steps of a phase, as options have it; `kept`: what was settled when the training began, here or in a
    checkpoint."""
    wanted = kept or options.execution
    if device.type != "cuda" or wanted == "eager":
        return Step(model, players, options, computing)
    against = _against(model, loader)
    if against is not None:
        log.info("training steps are done one operation after another: %s", against)
        return Step(model, players, options, computing)
    if wanted == "compiled":
        players = [replace(player, terms=torch.compile(player.terms, dynamic=False)) for player in players]
    way = None if wanted == "auto" else wanted
    return GraphedStep(model, players, options, computing, cast(Drawing, loader), device, CudaGraphs(device), way)


def _against(model: Method, loader: Loader) -> str | None:
    """Why steps cannot be recorded; None if nothing speaks against it."""
    if not model.same_each_step:
        return f"what a {type(model).__name__} with these options does depends on what is in the batch"
    if not (hasattr(loader, "drawn") and hasattr(loader, "made")):
        return "its batches are made elsewhere"
    return None
