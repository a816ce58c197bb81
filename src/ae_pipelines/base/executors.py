"""One function applied to many items by several workers, in order and only a few items ahead."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from ae_pipelines.base.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cpus() -> int:
    """Number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """Results of `function` for each item, by the workers of `pool`, which are at most `ahead` items ahead."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def in_processes(
    function: Callable[[Any, Item], Result],
    common: Any,
    items: Iterable[Item],
    workers: int | None = None,
    ahead: int | None = None,
    option: str = "ingest.workers",
) -> Generator[Result, None, None]:
    """Results of `function(common, item)` for each item, by `workers` processes (None: one per CPU).

    `common` is sent to each process once; it and `function` must not be defined in `__main__`, which the
    processes do not import. They end when this process does, however it ends. `ahead`: items taken before the next
    result is given (None: a few, so that no process waits); with `workers - 1`, an item is taken only when the caller
    is done with the result of the one that is `workers` before it. `option` is the one that sets the workers.
    """
    workers = workers or cpus()
    pool = _Pool(workers, get_context("spawn"), initializer=_start, initargs=(function, common))
    try:
        yield from in_order(pool, _call, items, ahead=2 * workers if ahead is None else ahead)
        pool.shutdown()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process ended in the middle of its work, probably out of memory: run again, with fewer workers "
            "if it happens again; finished work is kept",
            options={option: "..."},
        ) from error
    finally:
        pool.end_workers()
        pool.shutdown(cancel_futures=True)


class _Pool(ProcessPoolExecutor):
    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a task, which starts the processes. They do not import `__main__`: it may be all of Kedro, or a script
        that would run again. Ctrl-C, which reaches them too, waits until they ignore it."""
        main = vars(sys.modules["__main__"])
        hidden: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
        main["__spec__"] = None
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(*args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            main |= hidden

    def end_workers(self) -> None:
        """End the processes without waiting for their tasks (Python 3.14: terminate_workers)."""
        for process in list((self._processes or {}).values()):
            process.terminate()


_job: list[Any] = []
"""In a worker process: the function and the common value that `in_processes` sent once. A pool keeps nothing for its
workers between tasks, so they are kept here."""


def _start(function: Callable[[Any, Any], Any], common: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the pool
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _job[:] = [function, common]


def _call(item: Any) -> Any:
    function, common = _job
    return function(common, item)


def _end_with_parent() -> None:
    """End this worker with its parent: a killed parent leaves the pool's queues open, so workers would wait forever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
