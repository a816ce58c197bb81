import os
import platform
import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.training import devices

FAULTS = """
import resource, sys
import torch
from ae_pipelines.training.devices import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(4_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

kept = keep_freed_memory()
faults()  # until the block is where it fits
print(kept, faults())
"""


def kept_and_faults(**environment: str) -> tuple[bool, int]:
    """Whether memory is kept, and the page faults of taking 16 MB ten times."""
    command = [sys.executable, "-c", FAULTS]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | environment).stdout
    kept, faults = answer.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="options of glibc")
def test_memory_that_a_tensor_leaves_serves_the_next_one():
    kept, faults = kept_and_faults()
    assert kept
    assert faults < 100


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="options of glibc")
def test_what_is_set_in_the_environment_stays():
    kept, faults = kept_and_faults(MALLOC_MMAP_THRESHOLD_="1000000")
    assert not kept
    assert faults > 1000


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not devices.keep_freed_memory.__wrapped__()


def test_a_gpu_is_picked_by_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(devices.pick_device(name)) for name in ("auto", "cuda", "cuda:1")] == ["cuda:0", "cuda:0", "cuda:1"]
    with pytest.raises(InputError, match="'cuda:2' is not available here; available: cuda:0, cuda:1, .*cpu"):
        devices.pick_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda number: ((5, 9), (7, 8))[number])
    assert devices.freest_gpu() == torch.device("cuda:1")


def test_a_layer_without_a_deterministic_algorithm_is_refused_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device", lambda _: nullcontext())
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    with (
        pytest.raises(InputError, match="upsample_bilinear2d_backward has no deterministic algorithm"),
        devices.training_on(torch.device("cuda"), deterministic=True),
    ):
        assert torch.are_deterministic_algorithms_enabled()
        raise RuntimeError("upsample_bilinear2d_backward does not have a deterministic implementation, but")
    assert not torch.are_deterministic_algorithms_enabled()
