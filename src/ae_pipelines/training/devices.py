"""Where and on what memory models are trained and used."""

import ctypes
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import TypeVar

import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import in_order
from ae_pipelines.training.precision import products

Item = TypeVar("Item")
Result = TypeVar("Result")

CPU = torch.device("cpu")
GPU_WORKERS = 3

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


def give_back_freed_memory() -> None:
    """Give the system what this process has freed and kept, as far as the C library can do that."""
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def pick_device(wanted: str) -> torch.device:
    """The device by name; "auto" takes CUDA, else Apple's MPS, else the CPU. `InputError` if it is not there."""
    gpus = [f"cuda:{number}" for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    available = [*gpus, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]
    name = {"auto": available[0], "cuda": "cuda:0"}.get(wanted, wanted)
    if name not in available:
        raise InputError(f"training.device {wanted!r} is not available here; available: {', '.join(available)}")
    return torch.device(name)


def freest_gpu() -> torch.device | None:
    """The GPU with the most free memory; None if there is none."""
    if not torch.cuda.is_available():
        return None
    if torch.cuda.device_count() == 1:
        return torch.device("cuda:0")
    free = [torch.cuda.mem_get_info(number)[0] for number in range(torch.cuda.device_count())]
    return torch.device("cuda", free.index(max(free)))


def name_of(device: torch.device) -> str:
    """What trainings of the same bits have in common: the sort of device, and which GPU it is."""
    return f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


@contextmanager
def training_on(device: torch.device, deterministic: bool) -> Iterator[None]:
    """In this context a GPU is the current one, and if `deterministic` it uses no algorithm whose bits differ from time
    to time. `InputError` if a layer has no other."""
    if device.type != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
    torch.use_deterministic_algorithms(deterministic or before)
    try:
        with torch.cuda.device(device):
            yield
    except RuntimeError as error:
        if "does not have a deterministic implementation" not in str(error):
            raise
        raise InputError(
            f"training.deterministic: {str(error).split(' does not')[0]} has no deterministic algorithm on a GPU: "
            "choose another layer (such as upsample=transposed), leave the option out, or train on the CPU"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)


def keeping_random(device: torch.device) -> AbstractContextManager[None]:
    """In this context torch's global random numbers, of the CPU and of this device, may be used up."""
    return torch.random.fork_rng([device] if device.type == "cuda" else [])


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], device: torch.device = CPU
) -> Iterator[Result]:
    """`function` of each item, in order; every CPU takes an item at a time and works on it with one thread.

    For inference this beats one item on all threads (nothing waits for the slowest thread, and what is not
    torch runs in parallel too), and results do not depend on the number of CPUs. A few items are read ahead.
    On a GPU a few threads take items, each on a stream of its own, so that one is copied there or back while another
    is worked on.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # weights may be on their way
        pool = ThreadPoolExecutor(GPU_WORKERS, initializer=_on_own_stream, initargs=(device,))
        with pool, products("float32", device):  # so that results are a CPU's, but for rounding
            yield from in_order(pool, function, items, ahead=2 * GPU_WORKERS)
        return
    keep_freed_memory()
    before, workers = torch.get_num_threads(), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from in_order(pool, function, items, ahead=4 * workers)
    finally:
        torch.set_num_threads(before)


def _on_own_stream(device: torch.device) -> None:
    torch.cuda.set_device(device)
    torch.cuda.set_stream(torch.cuda.Stream(device))
