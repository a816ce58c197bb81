"""Log lines and tracebacks of a run do not show secrets."""

import io
import logging

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
