"""Steps that are recorded and repeated, on the CPU: a recorder there lists the operations of a step, and does them
again on the very same tensors, which is what a CUDA graph does. What Python does in between is not repeated."""

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ae_pipelines.models import ModelChoice, moving
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import CorruptionChoice, one_after_another
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import graphs
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.graphs import GraphedStep
from ae_pipelines.training.options import TrainOptions

CPU = torch.device("cpu")
SPEC = SampleSpec(shape=(1, 8, 8), dtype="uint8")
SMALL = {"kind": "dense", "widths": [8]}
CASES = {
    "autoencoder": {"kind": "autoencoder", "net": SMALL},
    "conv": {"kind": "autoencoder", "net": {"kind": "conv", "channels": [4], "norm": "batch"}},
    "vae": {"kind": "vae", "net": SMALL, "warm_up_steps": 12, "conditional": True},
    "gan": {"kind": "gan", "net": SMALL},
    "views": {"kind": "views", "net": SMALL, "projector": [8], "loss": {"kind": "byol", "predictor_width": 8}},
}


class Listed(TorchDispatchMode):
    """Lists operations while they are done; `undo` gives back what they have changed."""

    def __init__(self):
        super().__init__()
        self.operations, self._before = [], []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for argument, value in zip(operation._schema.arguments, args, strict=False):
            written = argument.alias_info is not None and argument.alias_info.is_write
            if written or argument.name.startswith("running_"):  # of batch norm, whose schema does not say so
                self._before += [(each, each.detach().clone()) for each in tree_leaves(value) if torch.is_tensor(each)]
        out = operation(*args, **kwargs)
        self.operations.append((operation, args, kwargs, out))
        return out

    def undo(self):
        with torch.no_grad():
            for tensor, value in reversed(self._before):
                tensor.copy_(value)

    @torch.no_grad()
    def repeat(self):
        for operation, args, kwargs, out in self.operations:
            again = operation(*args, **kwargs)
            for old, new in zip(tree_leaves(out), tree_leaves(again), strict=True):
                if torch.is_tensor(old) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class OnCpu:
    """A recorder."""

    def __init__(self, recorded=True):
        self.recorded, self.waits = recorded, 0

    def aside(self):
        return nullcontext()

    def record(self, work, generator):
        if not self.recorded:
            raise RuntimeError("operation not permitted when stream is capturing")
        random = torch.get_rng_state()
        with Listed() as found:
            work()
        found.undo()
        torch.set_rng_state(random)
        return found.repeat

    def wait(self):
        self.waits += 1


def trained(model, recorder, way="graph", epochs=2, clock=None):
    torch.manual_seed(0)
    built = ModelChoice(**model).build(Task.plain(SPEC, classes=("a", "b"))).train()
    values = torch.randint(0, 256, (80, 1, 8, 8), dtype=torch.uint8)
    corrupt = one_after_another([CorruptionChoice(kind=kind).build() for kind in ("affine", "masking")])
    finish = Finish(
        scale=1 / 255, corrupt=corrupt, labels=torch.arange(80) % 2, second_view=built.wants_second_view, seed=3
    )
    loader, options = Batches(values, finish, batch_size=8), TrainOptions(maximum_gradient_norm=0.5)
    (phase,) = moving(built.phases())
    step = GraphedStep(built, phase.players, options, nullcontext, loader, CPU, recorder, way)
    sums, norms = [], []
    for epoch in range(epochs):
        for number, drawn in enumerate(step.drawn(loader, epoch, 0)):
            if clock is not None:
                clock.tick(step)
            step(drawn, 1e-3 * (1 + number), (epoch * 10 + number + 1) / (epochs * 10), number == 9)
        sums.append({name: float(total) for name, total in step.totals.items()})
        norms.append(step.gradient_norm())
        step.forget()
    return built, sums, norms, step


@pytest.mark.parametrize("kind", CASES)
def test_repeated_steps_learn_the_same_to_the_bit(kind):
    eager, *expected, step = trained(CASES[kind], OnCpu(), way="eager")
    assert step.way == "eager"
    repeated, *found, step = trained(CASES[kind], OnCpu())
    assert (step.way, step._repeat is not None) == ("graph", True)
    assert found == expected
    for name, tensor in eager.state_dict().items():
        assert torch.equal(tensor, repeated.state_dict()[name]), name


def test_what_cannot_be_recorded_is_done_eagerly_and_said(caplog):
    _, *expected, _ = trained(CASES["autoencoder"], OnCpu(), way="eager")
    _, *found, step = trained(CASES["autoencoder"], OnCpu(recorded=False))
    assert (found, step.way) == (expected, "eager")
    assert "cannot be recorded as a CUDA graph" in caplog.text


class Clock:
    """Seconds that pass in each step, by whether it is repeated."""

    def __init__(self, eager, repeated):
        self._each, self.now = {False: eager, True: repeated}, 0.0

    def tick(self, step):
        self.now += self._each[step._repeat is not None]


@pytest.mark.parametrize(("seconds", "way"), [((1.0, 0.25), "graph"), ((0.25, 1.0), "eager")])
def test_the_faster_way_is_found_in_steps_that_count(seconds, way, monkeypatch, caplog):
    clock, recorder = Clock(*seconds), OnCpu()
    monkeypatch.setattr(graphs, "TIMED", 5)
    monkeypatch.setattr(graphs.time, "perf_counter", lambda: clock.now)
    eager, *expected, _ = trained(CASES["autoencoder"], OnCpu(), way="eager")
    with caplog.at_level("INFO"):
        found, *sums, step = trained(CASES["autoencoder"], recorder, way=None, clock=clock)
    assert (step.way, step._repeat is not None) == (way, way == "graph")
    assert "250.000 ms recorded" in caplog.text if way == "graph" else "1000.000 ms recorded" in caplog.text
    assert recorder.waits == 4
    assert sums == expected
    assert all(torch.equal(a, b) for a, b in zip(eager.parameters(), found.parameters(), strict=True))
