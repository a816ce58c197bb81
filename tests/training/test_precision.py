import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.autoencoder import Autoencoder
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training import precision
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

CONV, DENSE = {"kind": "conv", "channels": [4]}, {"kind": "dense", "widths": [8]}
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def shown(monkeypatch):
    """Autoencoders were shown to learn as well."""
    monkeypatch.setattr(Autoencoder, "learns_in_bfloat16", True)


@pytest.fixture
def cpu_with(monkeypatch):
    """Say what the CPU can do."""

    def cpu_with(**capabilities):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)

    return cpu_with


def of(kind="autoencoder", net=CONV, **options):
    return ModelChoice(kind=kind, net=net, **options).build(Task.plain(SampleSpec(shape=(1, 8, 8), dtype="uint8")))


@pytest.mark.parametrize("capability", ["amx_bf16", "avx512_bf16"])
def test_convolutions_are_computed_in_bfloat16_where_the_cpu_has_it(cpu_with, capability):
    cpu_with(**{capability: True})
    assert precision.picked(of(), 128, CPU)[0] == "bfloat16"
    cpu_with(**{capability: False}, avx2=True)
    assert precision.picked(of(), 128, CPU) == ("float32", "this CPU does not multiply in bfloat16")
    cpu_with()
    assert not precision.has_bfloat16(), "nothing is known of another kind of CPU"


@pytest.mark.parametrize(
    ("model", "batch_size", "device", "why"),
    [
        (of(net=DENSE), 128, CPU, "without convolutions"),
        (of("gan", discriminator=CONV), 128, CPU, "that GAN learns as well in bfloat16 has not been shown"),
        (of(), 32, CPU, "batches of 32"),
        (of(), 128, torch.device("mps"), "on CPUs only"),
    ],
)
def test_all_else_is_computed_in_float32_and_told_why(cpu_with, model, batch_size, device, why):
    cpu_with(avx512_bf16=True)
    chosen, said = precision.picked(model, batch_size, device)
    assert chosen == "float32"
    assert why in said


def test_a_training_keeps_the_precision_it_had_on_another_machine(digits, tmp_path, cpu_with, caplog):
    model = {"kind": "autoencoder", "net": CONV, "latent_size": 4}
    recipe = Recipe.model_validate({"model": model, "training": {"epochs": 1, "threads": 1}})
    cpu_with(avx512_bf16=True)
    with caplog.at_level("INFO"):
        half, _ = train(digits, recipe, CheckpointFile(tmp_path / "checkpoint"))
    assert "training in bfloat16: this CPU" in caplog.text
    cpu_with()
    again, _ = train(digits, recipe, CheckpointFile(tmp_path / "checkpoint"))
    full, _ = train(digits, recipe, CheckpointFile(tmp_path / "other"))
    assert again.content == half.content
    assert full.content != half.content


@pytest.mark.parametrize(
    ("model", "capability", "chosen"),
    [(of(), (8, 0), "bfloat16"), (of(), (7, 5), "float32"), (of(net=DENSE), (9, 0), "tf32")],
)
def test_a_gpu_multiplies_in_what_it_has_and_what_suits_the_method(model, capability, chosen, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert precision.picked(model, 128, torch.device("cuda"))[0] == chosen


def test_tf32_is_refused_where_there_is_no_gpu():
    with pytest.raises(InputError, match="needs an NVIDIA GPU of 2020 or later, given cpu: give float32"):
        precision.settled("tf32", None, of(), 128, CPU)
