import os
import platform
import subprocess
import sys

import pytest

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
