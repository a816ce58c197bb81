"""Passwords that an address holds, and keys, are not shown in log lines."""

import logging

from kedro.framework.hooks import hook_impl

from ae_pipelines.base.secrets import Discreet


class DiscreetHook:
    """Has what is logged written without secrets, however logging is configured."""

    @hook_impl(tryfirst=True)
    def after_context_created(self) -> None:
        for handler in logging.getLogger().handlers:
            if not isinstance(handler.formatter, Discreet):
                handler.setFormatter(Discreet(handler.formatter or logging.Formatter()))
