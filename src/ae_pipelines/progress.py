"""What surrounds a piece of work: the run it belongs to, who listens to its metrics, its progress bar."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from tqdm import tqdm

Listener = Callable[[dict[str, float], int], None]

_listeners: list[Listener] = []
_run_ids: list[str] = []


@contextmanager
def run(run_id: str, listener: Listener) -> Iterator[None]:
    """Within this block, work belongs to `run_id` and `listener(metrics, step)` hears what it reports."""
    _run_ids.append(run_id)
    _listeners.append(listener)
    try:
        yield
    finally:
        _run_ids.remove(run_id)
        _listeners.remove(listener)


def run_id() -> str | None:
    """The id of the run that the current work belongs to; None outside any."""
    return _run_ids[-1] if _run_ids else None


def report(metrics: dict[str, float], step: int) -> None:
    """Tell whoever listens (MLflow, say) these values at this step."""
    for listener in _listeners:
        listener(metrics, step)


def bar(*, total: int, label: str, unit: str) -> "tqdm[NoReturn]":
    """A progress bar with a rate and a time left, shown only in a terminal (`bar.disable` says so)."""
    from tqdm import tqdm

    return tqdm(total=total, desc=label, unit=unit, leave=False, disable=None, dynamic_ncols=True)
