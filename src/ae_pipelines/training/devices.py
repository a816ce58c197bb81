"""Where and on what memory models are trained and used."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import in_order

Item = TypeVar("Item")
Result = TypeVar("Result")

MALLOC = {
    # environment variable: number of the option in <malloc.h>, bytes
    "MALLOC_TRIM_THRESHOLD_": (-1, 2**31 - 1),
    "MALLOC_MMAP_THRESHOLD_": (-3, 2**30),
}


@cache
def keep_freed_memory() -> bool:
    """Let this process keep the memory that tensors leave, for the next ones; whether that could be arranged.

    glibc gives large blocks back to the system when they are freed and takes them again, page by page and zeroed, in
    every step, which convolutional nets feel most (`docs/speed.md`). Other C libraries have no such options, and
    whoever sets them in the environment keeps what was set. It holds for the whole process, so it is to be called
    before the first large tensor.
    """
    if platform.libc_ver()[0] != "glibc" or not os.environ.keys().isdisjoint(MALLOC):
        return False
    mallopt = ctypes.CDLL(None).mallopt
    taken = [mallopt(option, size) for option, size in MALLOC.values()]
    return all(taken)


def pick_device(wanted: str) -> torch.device:
    """The device by name; "auto" takes CUDA, else Apple's MPS, else the CPU."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        wanted = next(name for name, there in available.items() if there)
    if not available[wanted]:
        there = ", ".join(name for name, yes in available.items() if yes)
        raise InputError(f"training.device {wanted!r} is not available here; available: {there}")
    return torch.device(wanted)


def in_parallel(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of each item, in order; every CPU takes an item at a time and works on it with one thread.

    For inference this beats one item on all threads (nothing waits for the slowest thread, and what is not
    torch runs in parallel too), and results do not depend on the number of CPUs. A few items are read ahead.
    """
    keep_freed_memory()
    before, workers = torch.get_num_threads(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from in_order(pool, function, items, ahead=4 * workers)
    finally:
        torch.set_num_threads(before)
