"""Log lines and tracebacks of a run do not show secrets."""

import io
import logging

import pytest
from rich.console import Console
from rich.logging import RichHandler

from ae_pipelines.project.discreet import DiscreetHook, show

ADDRESS = "postgresql://me:s3cr3t@host/runs"


def test_whatever_handler_there_is_writes_no_secrets(monkeypatch):
    handler = logging.StreamHandler(written := io.StringIO())
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler, logging.StreamHandler(io.StringIO())])
    monkeypatch.setattr("sys.excepthook", print)
    for _ in range(2):
        DiscreetHook().after_context_created()
    logging.getLogger("somebody").warning("no answer from %s", ADDRESS)
    assert written.getvalue() == "WARNING: no answer from postgresql://me:***@host/runs\n"


def test_a_traceback_shows_no_secrets(capsys):
    error = RuntimeError(f"no answer from {ADDRESS}")
    show(RuntimeError, error, None)
    assert capsys.readouterr().err == "RuntimeError: no answer from postgresql://me:***@host/runs\n"


@pytest.mark.parametrize("name", ["", "somebody"])
def test_neither_does_a_logger_s_own_handler_nor_one_that_draws_tracebacks(name, monkeypatch):
    console = Console(file=(written := io.StringIO()), width=200)
    monkeypatch.setattr(logging.getLogger(name), "handlers", [RichHandler(console=console, rich_tracebacks=True)])
    monkeypatch.setattr("sys.excepthook", print)
    DiscreetHook().after_context_created()
    try:
        raise OSError(f"no answer from {ADDRESS}")
    except OSError:
        logging.getLogger("somebody").exception("failed at %s", ADDRESS)
    assert written.getvalue().count("***") == 2
    assert "s3cr3t" not in written.getvalue()


def test_pressing_ctrl_c_again_shows_no_traceback(capsys):
    show(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert capsys.readouterr().err == "Aborted!\n"
