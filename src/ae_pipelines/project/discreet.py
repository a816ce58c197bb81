"""Passwords that an address holds, and keys, are not shown in log lines and tracebacks."""

import logging
import sys
import traceback
from types import TracebackType

from kedro.framework.hooks import hook_impl

from ae_pipelines.base.secrets import Discreet, without_secrets


class DiscreetHook:
    """Has what is logged, and the traceback that ends a process, written without secrets."""

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        for handler in logging.getLogger().handlers:
            if not isinstance(handler.formatter, Discreet):
                handler.setFormatter(Discreet(handler.formatter or logging.Formatter()))
        sys.excepthook = show


def show(kind: type[BaseException], error: BaseException, frames: TracebackType | None) -> None:
    """As Python shows an error that nobody caught."""
    sys.stderr.write(without_secrets("".join(traceback.format_exception(kind, error, frames))))
