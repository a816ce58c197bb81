"""What only a GPU can show; elsewhere it is left out. `test_graphs.py` and `contracts/test_same_each_step.py` show on
any machine what such steps rest on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ae_pipelines.base.run import Run
from ae_pipelines.training.batches import Batches, Finish
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.embedding import latent_block
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.streamed import BUFFER_BYTES, StreamedBatches

pytestmark = pytest.mark.gpu
CUDA = "cuda:0"


def recipe(**training) -> Recipe:
    corruptions = [{"kind": "affine"}, {"kind": "masking"}]
    net = {"kind": "conv", "channels": [8, 16], "norm": "batch"}
    options = {"epochs": 3, "device": CUDA, "precision": "float32", "checkpoint_seconds": 0} | training
    loader = {"batch_size": 32, "corruptions": corruptions}
    return Recipe.model_validate({"model": {"kind": "vae", "net": net}, "loader": loader, "training": options})


def weights(trained):
    return {name: tensor.cpu() for name, tensor in trained.module.state_dict().items()}


def same(one, other):
    first, second = weights(one), weights(other)
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def test_repeated_steps_are_those_of_an_eager_training(digits):
    eager, _ = train(digits, recipe(execution="eager", deterministic=True))
    repeated, _ = train(digits, recipe(execution="graph", deterministic=True))
    apart = [(e - r).abs().max() for e, r in zip(weights(eager).values(), weights(repeated).values(), strict=True)]
    assert max(apart) < 1e-3, "the learning rate is rounded to float32 where a step is recorded"


def test_a_gpu_learns_as_well_as_a_cpu(digits):
    _, on_gpu = train(digits, recipe())
    _, on_cpu = train(digits, recipe(device="cpu", threads=1))
    assert on_gpu[-1]["loss"] == pytest.approx(on_cpu[-1]["loss"], rel=0.03)


class Stopping(Run):
    def report(self, metrics, step):
        if step == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("execution", ["graph", "eager"])
def test_a_training_that_is_taken_up_ends_with_the_same_bits(digits, tmp_path: Path, execution):
    options = recipe(execution=execution, deterministic=True)
    whole, _ = train(digits, options)
    file = CheckpointFile(tmp_path / "checkpoint")
    with pytest.raises(KeyboardInterrupt):
        train(digits, options, file, Stopping())
    again, _ = train(digits, options, file)
    assert same(whole, again)


def test_streamed_batches_are_those_of_a_cpu(digits):
    rows = np.arange(len(digits))
    finish = Finish(scale=digits.spec.scale)
    size = min(BUFFER_BYTES, digits.stored_bytes // 4)
    here, there = (
        StreamedBatches(digits, finish, rows=rows, batch_size=32, device=torch.device(place), buffer_bytes=size)
        for place in ("cpu", CUDA)
    )
    for epoch in range(2):
        for one, other in zip(here.epoch(epoch), there.epoch(epoch), strict=True):
            assert torch.equal(one.rows, other.rows.cpu())
            assert torch.equal(one.input, other.input.cpu())


def test_batches_of_a_resident_store_are_those_of_a_cpu(digits):
    values = torch.from_numpy(digits.read())
    here, there = (Batches(values.to(place), Finish(scale=1 / 255), batch_size=32) for place in ("cpu", CUDA))
    for one, other in zip(here.epoch(1), there.epoch(1), strict=True):
        assert torch.equal(one.input, other.input.cpu())


def test_a_model_works_where_it_was_trained_and_says_the_same_elsewhere(digits, tmp_path):
    trained, _ = train(digits, recipe())
    assert trained.device.type == "cuda"
    trained.save(tmp_path / "model")
    loaded = trained.load(tmp_path / "model")
    assert (loaded.device.type, loaded.where_trained().device.type) == ("cpu", "cuda")
    values = digits.read()[:100]
    on_gpu, on_cpu = latent_block(trained, values), latent_block(loaded, values)
    np.testing.assert_allclose(on_gpu.vectors, on_cpu.vectors, atol=2e-2)
    np.testing.assert_allclose(trained.reconstruct(values), loaded.reconstruct(values), atol=2e-2)
