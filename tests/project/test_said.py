"""What a run says when there is nothing to do, and what Kedro does not say after a refusal."""

from importlib import import_module
from types import SimpleNamespace

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.tracked import TrackingHook

import_module("ae_pipelines.settings")  # where Kedro looks first, and where its hint is held back


@pytest.mark.parametrize(("error", "hinted"), [(InputError("no such column"), False), (RuntimeError("a bug"), True)])
def test_repeating_the_command_is_advised_unless_it_was_refused(error, hinted, caplog):
    try:
        try:
            raise error
        except ValueError as inner:
            raise RuntimeError("a dataset failed") from inner
    except RuntimeError:
        SequentialRunner()._suggest_resume_scenario(Pipeline([]), set(), DataCatalog())
    assert ("Repeat the previous command" in caplog.text) is hinted


@pytest.mark.parametrize(("error", "said"), [(InputError("no such column"), False), (RuntimeError("a bug"), True)])
def test_that_a_node_failed_is_not_said_beside_the_message_that_says_why(error, said, caplog):
    def fail() -> int:
        raise error

    with pytest.raises(type(error)):
        Node(fail, None, "never").run()
    assert ("failed with error" in caplog.text) is said


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (None, "nothing to do: all that was asked for is there\n"),
        (SimpleNamespace(skipped="all is scored"), "nothing to do: all is scored\n"),
        (SimpleNamespace(skipped=None), ""),
    ],
)
def test_a_run_that_has_nothing_to_do_says_why(record, said, capsys):
    hook = TrackingHook()
    if record is not None:
        record.tag = record.end = lambda *_: None
    hook._record, hook._note = record, lambda *_: None
    hook.after_pipeline_run()
    assert capsys.readouterr().out == said
