"""How to do with Kedro what an error advises: the only place that turns stages and options into commands."""

import logging
import sys
from collections.abc import Iterator

import click

from ae_pipelines.base.errors import InputError, caused_by
from ae_pipelines.base.failures import refusal_in


def advised(error: BaseException) -> str:
    """The message and, in brackets, what to type: "… (kedro run --pipelines=train or --params=score.version=...)"."""
    for source in caused_by(error):
        if isinstance(source, InputError) and (typed := list(_typed(source))):
            return f"{error} ({' or '.join(typed)})"
    return str(error)


def in_short(error: BaseException) -> str:
    """What is refused, or wrong with the machine, without what Kedro says of where; of other errors the type and the
    message."""
    refusal = refusal_in(error)
    return f"{type(error).__name__}: {error}" if refusal is None else advised(refusal)


def _typed(error: InputError) -> Iterator[str]:
    if error.stages:
        yield f"kedro run --pipelines={','.join(error.stages)}{_as_now()}"
    yield from (f"--params={name}={value}" for name, value in error.options.items())


def _as_now() -> str:
    """A reminder that what was typed (a data folder, options) is to be typed again."""
    context = click.get_current_context(silent=True)
    return ", with the same --params" if context is not None and context.params.get("params") else ""


def is_refusal(error: BaseException | None) -> bool:
    """Whether it comes from bad input, so that the same command would end in the same way."""
    return any(isinstance(source, InputError) for source in caused_by(error))


class SaidOnce(logging.Filter):
    """Passes all log records but Kedro's about a run that was refused, or that the machine stopped: that the node
    failed, which the run says in one message, and the advice to resume it."""

    def filter(self, record: logging.LogRecord) -> bool:
        of_the_end = record.funcName == "_suggest_resume_scenario" or record.levelno == logging.ERROR
        error = sys.exc_info()[1]
        return not of_the_end or error is None or refusal_in(error) is None
