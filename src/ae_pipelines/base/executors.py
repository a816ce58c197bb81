"""One function over many items, by several workers, in order and with only a few items ahead."""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from ae_pipelines.base.errors import InputError

Item = TypeVar("Item")
Result = TypeVar("Result")


def cpus() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], ahead: int) -> Iterator[Result]:
    """`function` of each item by the workers of `pool`; items are taken when at most `ahead` results are waiting."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def in_processes(
    function: Callable[[Any, Item], Result], common: Any, items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """`function(common, item)` for each item, by `workers` processes (None: one a CPU).

    `common` is sent to each process once; it and `function` must not be defined in `__main__`, which the
    processes do not import. They end with this one, however it ends.
    """
    workers = workers or cpus()
    pool = _Pool(workers, get_context("spawn"), initializer=_start, initargs=(function, common))
    try:
        yield from in_order(pool, _call, items, ahead=2 * workers)
        pool.shutdown()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process ended in the middle of its work, perhaps killed for want of memory: run again, with "
            "fewer workers if it happens again; what was done is kept",
            options={"ingest.workers": "..."},
        ) from error
    finally:
        pool.end_workers()
        pool.shutdown(cancel_futures=True)


class _Pool(ProcessPoolExecutor):
    def submit(self, *args: Any, **kwargs: Any) -> Future[Any]:
        """Processes are started here. They import no `__main__`: it may be all of Kedro, or a script that would run
        again."""
        main = vars(sys.modules["__main__"])
        hidden: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
        main["__spec__"] = None
        try:
            return super().submit(*args, **kwargs)
        finally:
            main |= hidden

    def end_workers(self) -> None:
        """Without waiting for what they are doing (Python 3.14: terminate_workers)."""
        for process in list((self._processes or {}).values()):
            process.terminate()


_given: list[Any] = []
"""Of a worker process: what `in_processes` sent it once. A pool hands its workers nothing else between tasks, so it
must be kept here."""


def _start(function: Callable[[Any, Any], Any], common: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends the pool
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _given[:] = [function, common]


def _call(item: Any) -> Any:
    function, common = _given
    return function(common, item)


def _end_with_parent() -> None:
    """A parent that is killed leaves the pool's queues open, and its workers would wait for ever."""
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)
