"""What a GPU must find to repeat a recorded step: the same operations each time, and nothing read from it, or copied.

There need be no GPU: on torch's device "meta", which has shapes and no values, whatever would read a value raises, and
operations are listed as they come.
"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from test_corruptions import build, samples_for
from test_models import ALL, TASK, built, name, registered  # noqa: F401
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ae_pipelines.models import moving
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.corruptions import CORRUPTIONS, one_after_another
from ae_pipelines.training.batches import Batches, Drawn, Finish
from ae_pipelines.training.graphs import step_for
from ae_pipelines.training.options import TrainOptions

META = torch.device("meta")
FEW = [case for case in ALL if case[0] == "autoencoder" or case[1] != "conv"]
"""Every net meets one method."""
COPIES = {torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default}


class Operations(TorchDispatchMode):
    """Lists operations with the shapes and numbers that they are given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        out = operation(*args, **(kwargs or {}))
        leaves = tree_leaves((args, kwargs, out))
        if operation in COPIES:
            places = {leaf.device.type for leaf in leaves if isinstance(leaf, torch.Tensor)}
            assert places == {"meta"}, f"{operation} from one device to another, in every step"
        self.seen.append((str(operation), [described(leaf) for leaf in leaves]))
        return out


def described(leaf):
    if isinstance(leaf, torch.Tensor):
        return (tuple(leaf.shape), leaf.dtype)
    return leaf if isinstance(leaf, int | float | str | bool) else None


def operations(work):
    with Operations() as found:
        work()
    return found.seen


def on_meta(batch):
    moved = {key: value.to(META) for key, value in vars(batch).items() if isinstance(value, torch.Tensor)}
    return replace(batch, **moved)


def batch_for(model, count=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(count, *TASK.input_shape, generator=generator)
    layout = None if model.wants_layout is None else torch.zeros(count, model.wants_layout.components)
    number = torch.zeros(()) if model.wants_step else None
    second = x if model.wants_second_view else None
    return Batch(x, x, torch.arange(count), torch.arange(count) % 3, second, number, layout)


@pytest.fixture(autouse=True)
def no_autocast(monkeypatch):
    """Which there is not on this device."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


def step(players, batch):
    for player in players:
        loss = torch.stack(list(player.terms(batch).values())).sum()
        loss.backward(inputs=player.parameters)
        for parameter in player.parameters:
            parameter.grad = None


@pytest.mark.parametrize("case", FEW, ids=map(name, FEW))
def test_a_step_can_be_repeated_without_a_look_at_the_device(case):
    model = built(case)
    batch = on_meta(batch_for(model))
    model = model.to(META).train()
    for phase in moving(model.phases()):
        try:
            first, second = (operations(lambda: step(phase.players, batch)) for _ in range(2))  # noqa: B023
        except (RuntimeError, NotImplementedError):
            if model.same_each_step:
                raise
            return
        assert first == second, "what differs from step to step has to be in the batch"
        assert model.same_each_step, "it is; leave same_each_step as it is"


def test_the_number_of_the_step_is_in_the_batch_of_methods_that_want_it():
    vae = next(case for case in ALL if "warm_up_steps" in case[2])
    model = built(vae)
    assert model.wants_step
    numbers = [5, torch.tensor(5.0), 6, 10, torch.tensor(10.0), torch.tensor(99.0), None]
    found = [float(model._kl_weight(number)) for number in numbers]
    assert found == pytest.approx([0.5, 0.5, 0.6, 1, 1, 1, 1])


@pytest.mark.parametrize("kind", CORRUPTIONS.kinds())
def test_a_corruption_looks_neither_at_the_device_nor_copies_to_it_once_it_is_ready(kind):
    corrupt = build(kind)
    target = samples_for(corrupt).to(META)
    corrupt(target, torch.Generator())  # may keep something there for later
    first, second = (operations(lambda: corrupt(target, torch.Generator())) for _ in range(2))
    assert first == second


def test_batches_are_made_without_a_look_at_the_device():
    finish = Finish(scale=1 / 255, binarise=True, labels=torch.zeros(9, dtype=torch.int64, device=META))
    rows = torch.zeros(4, dtype=torch.int64, device=META)
    stored = torch.zeros(4, 1, 5, 5, dtype=torch.uint8, device=META)
    drawn = [Drawn(rows, stored, 0, number, None) for number in range(2)]
    first, second = (operations(lambda: finish(stored, each, torch.Generator())) for each in drawn)  # noqa: B023
    assert first == second


def test_a_look_at_the_device_is_noticed():
    with pytest.raises(RuntimeError, match="item"):
        operations(lambda: float(torch.zeros((), device=META)))
    with pytest.raises(AssertionError, match="from one device to another"):
        operations(lambda: torch.zeros(3).to(META))


@pytest.mark.gpu
@pytest.mark.parametrize("case", ALL, ids=map(name, ALL))
def test_a_gpu_records_the_steps_of_every_method_that_says_so_and_none_waits(case):
    device = torch.device("cuda:0")
    model = built(case).to(device).train()
    for phase in moving(model.phases()):
        batch = batch_for(model)
        corrupt = one_after_another([build("affine"), build("masking")])
        finish = Finish(
            scale=1.0,
            corrupt=corrupt,
            second_view=model.wants_second_view,
            labels=batch.label.to(device),
            layout=None if batch.layout is None else batch.layout.to(device),
        )
        loader = Batches(batch.target.to(device), finish, batch_size=4)
        step = step_for(model, phase.players, TrainOptions(execution="graph"), nullcontext, loader, device, None)
        drawn = [each for epoch in range(4) for each in step.drawn(loader, epoch, 0)]
        for each in drawn[:4]:
            step(each, 1e-3, 0.5, False)
        assert (step.way == "graph") == model.same_each_step
        if model.same_each_step:
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")
            try:
                for each in drawn[4:]:
                    step(each, 1e-3, 0.5, False)
            finally:
                torch.cuda.set_sync_debug_mode("default")
        assert all(parameter.isfinite().all() for parameter in model.parameters())
