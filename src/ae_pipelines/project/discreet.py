"""Passwords that an address holds, and keys, are not shown in log lines and tracebacks."""

import logging
import sys
import traceback
from collections.abc import Iterator
from types import TracebackType

from kedro.framework.hooks import hook_impl

from ae_pipelines.base.secrets import Discreet, without_secrets


class DiscreetHook:
    """Has what is logged, and the traceback that ends a process, written without secrets."""

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        for handler in _handlers():
            if not isinstance(handler.formatter, Discreet):
                handler.setFormatter(Discreet(handler.formatter or logging.Formatter()))
            if hasattr(handler, "rich_tracebacks"):
                handler.rich_tracebacks = False  # which no formatter writes
        sys.excepthook = show


def _handlers() -> Iterator[logging.Handler]:
    """Those of all loggers: a configuration may give each its own."""
    loggers = logging.getLogger(), *logging.getLogger().manager.loggerDict.values()
    return (handler for logger in loggers for handler in getattr(logger, "handlers", ()))


def show(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
    """As Python shows an error that nobody caught; in a word where Ctrl-C was pressed once more while a run ended."""
    if issubclass(kind, KeyboardInterrupt):
        sys.stderr.write("Aborted!\n")
        return
    sys.stderr.write(without_secrets("".join(traceback.format_exception(kind, error, frames))))
