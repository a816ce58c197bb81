import json

import pytest
import torch

from ae_pipelines.models import ModelChoice
from ae_pipelines.models.batch import Batch
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import fastest
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.fastest import Setup, settled
from ae_pipelines.training.loop import train
from ae_pipelines.training.options import TrainOptions
from ae_pipelines.training.recipe import Recipe

CONV, DENSE = {"kind": "conv", "channels": [4]}, {"kind": "dense", "widths": [8]}
CPU = torch.device("cpu")
X = torch.rand(8, 1, 8, 8)
BATCH = Batch(X, X, torch.arange(8))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Where nothing is remembered yet, on a machine with two CPUs and nothing to do."""
    monkeypatch.setenv("AE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(fastest, "cpus", lambda: 2)
    at_work(monkeypatch, 0.5)
    return tmp_path / "cache"


def at_work(monkeypatch, processes):
    monkeypatch.setattr(fastest.os, "getloadavg", lambda: (processes, 0.0, 0.0))


def of(net=CONV, kind="autoencoder"):
    return ModelChoice(kind=kind, net=net).build(Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8")))


def choose(model=None, device=CPU, kept=None, precision="float32", **options):
    chosen = TrainOptions(**options)
    return settled(chosen, kept, model or of(), lambda: BATCH, precision, device)


@pytest.fixture
def tried(monkeypatch):
    """The setups that are tried, and those with one thread and channels_last win."""
    asked = []

    def fake(model, batch, setups, computing):
        asked.append(setups)
        return min(setups)  # "channels_last" < "contiguous"

    monkeypatch.setattr(fastest, "fastest", fake)
    return asked


def test_threads_and_memory_formats_are_tried_together(tried):
    assert choose() == Setup(1, "channels_last")
    assert tried == [[Setup(threads, one) for threads in (2, 1) for one in ("contiguous", "channels_last")]]


def test_only_what_is_open_is_tried(tried):
    assert choose(threads=2) == Setup(2, "channels_last")
    assert choose(memory_format="contiguous") == Setup(1, "contiguous")
    assert choose(of(DENSE)) == Setup(1, "contiguous")
    assert [len(setups) for setups in tried] == [2, 2, 2]
    assert choose(of(DENSE), threads=3) == Setup(3, "contiguous"), "there is nothing to try"
    assert choose(device=torch.device("cuda")).memory_format == "contiguous"
    for precision in ("bfloat16", "tf32"):  # multiplied in blocks
        assert choose(device=torch.device("cuda"), precision=precision).memory_format == "channels_last"
    assert choose(kept={"threads": 5, "memory_format": "channels_last"}) == Setup(5, "channels_last")
    assert choose(kept={"threads": 5}) == Setup(5, "contiguous"), "a checkpoint from before there was a choice"
    assert len(tried) == 3


def test_what_was_found_is_remembered_by_model_batch_precision_and_machine(tried, monkeypatch):
    for _ in range(2):
        choose()
        assert len(tried) == 1
    choose(of(CONV | {"channels": [5]}))
    choose(precision="bfloat16")
    choose(threads=1)
    assert len(tried) == 4
    monkeypatch.setattr(fastest, "_cpu", lambda: "another processor")
    choose()
    assert len(tried) == 5


@pytest.mark.parametrize("entry", [None, 3, {}, {"threads": "two"}, {"threads": 64, "memory_format": "contiguous"}])
def test_an_entry_that_makes_no_sense_is_tried_again(tried, folder, entry):
    choose()
    path = folder / "fastest.json"
    path.write_text(json.dumps(dict.fromkeys(json.loads(path.read_text()), entry)))
    assert choose() == Setup(1, "channels_last")
    assert len(tried) == 2


def test_what_was_found_on_a_busy_machine_is_tried_again_on_a_calm_one(tried, monkeypatch):
    at_work(monkeypatch, 7.0)
    choose()
    choose()
    assert len(tried) == 1, "while it is busy, each training does the same"
    at_work(monkeypatch, 0.5)
    choose()
    at_work(monkeypatch, 7.0)
    choose()
    assert len(tried) == 2


SETUPS = [Setup(2, "contiguous"), Setup(2, "channels_last"), Setup(1, "contiguous")]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([[9, 3], [9, 2], [9, 4]], SETUPS[1]),
        ([[9, 3], [9, 2.9], [9, 4]], SETUPS[0]),  # chance
        ([[9, 3, 3], [1, 4, 4], [9, 4, 2]], SETUPS[2]),  # the first step takes memory
        ([[3], [2], []], SETUPS[1]),  # no time for more
    ],
)
def test_the_least_time_of_warm_steps_decides(seconds, expected):
    assert fastest._least(dict(zip(SETUPS, seconds, strict=True))) == expected


def test_trying_leaves_model_and_random_state_alone_and_ends_in_time(monkeypatch):
    model = of()
    before, random = {name: value.clone() for name, value in model.state_dict().items()}, torch.get_rng_state()
    threads, now = torch.get_num_threads(), iter(range(1000))
    monkeypatch.setattr(fastest.time, "perf_counter", lambda: next(now))
    steps = []
    monkeypatch.setattr(fastest, "_seconds", lambda trial, *_: steps.append(trial) or 1.0)
    monkeypatch.setattr(fastest, "MOST_SECONDS", 1.5)
    try:
        assert fastest.fastest(model, BATCH, SETUPS) == SETUPS[0]
    finally:
        torch.set_num_threads(threads)
    assert len(steps) == 1, "the clock shows a second more at each look"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None and parameter.is_contiguous() for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


def test_a_training_done_again_keeps_the_memory_format_it_had(digits, tmp_path, tried, monkeypatch):
    recipe = Recipe.model_validate({"model": {"kind": "autoencoder", "net": CONV}, "training": {"epochs": 1}})
    file = CheckpointFile(tmp_path / "checkpoint")
    first, _ = train(digits, recipe, file)
    assert (file.load()[1]["threads"], file.load()[1]["memory_format"]) == (1, "channels_last")
    assert len(tried) == 1
    monkeypatch.setattr(fastest, "fastest", lambda *_: pytest.fail("tried again"))
    monkeypatch.setenv("AE_CACHE", str(tmp_path / "empty"))
    assert train(digits, recipe, file)[0].content == first.content


def test_options_from_before_the_memory_format_have_the_hash_they_had():
    assert "memory_format" not in TrainOptions().model_dump(mode="json")
    assert TrainOptions(memory_format="contiguous").model_dump()["memory_format"] == "contiguous"
