"""How to do with Kedro what an error advises: the only place that turns stages and options into commands."""

import logging
import sys
from collections.abc import Iterator

from ae_pipelines.base.errors import InputError


def advised(error: BaseException) -> str:
    """The message and, in brackets, what to type: "… (kedro run --pipelines=train or --params=score.version=...)"."""
    for source in caused_by(error):
        if isinstance(source, InputError) and (typed := list(_typed(source))):
            return f"{error} ({' or '.join(typed)})"
    return str(error)


def in_short(error: BaseException) -> str:
    """What is refused, without what Kedro says of where; of other errors the type and the message."""
    refusal = next((source for source in caused_by(error) if isinstance(source, InputError)), None)
    return f"{type(error).__name__}: {error}" if refusal is None else advised(refusal)


def _typed(error: InputError) -> Iterator[str]:
    if error.stages:
        yield f"kedro run --pipelines={','.join(error.stages)}"
    yield from (f"--params={name}={value}" for name, value in error.options.items())


def is_refusal(error: BaseException | None) -> bool:
    """Whether it comes from bad input, so that the same command would end in the same way."""
    return any(isinstance(source, InputError) for source in caused_by(error))


class NoHintAfterRefusal(logging.Filter):
    """Passes all log records but Kedro's advice to repeat or resume a run that was refused."""

    def filter(self, record: logging.LogRecord) -> bool:
        return record.funcName != "_suggest_resume_scenario" or not is_refusal(sys.exc_info()[1])


def caused_by(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it comes from; the chain may go round in a circle."""
    visited: list[BaseException] = []
    while error is not None and error not in visited:
        yield error
        visited.append(error)
        error = error.__cause__ or error.__context__
