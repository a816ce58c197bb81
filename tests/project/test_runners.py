"""Runners that would do several things at once are refused by name, and nothing is left of the run."""

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.cli import run as command
from ae_pipelines.project.runners import RunnerHook


@pytest.mark.parametrize("runner", [ThreadRunner, ParallelRunner])
def test_a_runner_that_does_nodes_at_once_is_refused_by_name(runner):
    with pytest.raises(InputError, match=f"^{runner.__name__} cannot be used here"):
        RunnerHook().before_pipeline_run({"runner": str(runner(max_workers=1))})


@pytest.mark.parametrize("runner", [None, SequentialRunner()])
def test_nodes_one_after_the_other_are_not_refused(runner):
    RunnerHook().before_pipeline_run({"runner": str(runner)})


@pytest.mark.parametrize("words", [["--async"], ["--runner-params=is_async=true"]])
def test_results_of_a_node_are_not_saved_at_once(words):
    bootstrap_project(PROJECT)
    result = CliRunner().invoke(command, ["--pipelines=cluster", *words])
    assert result.exit_code == 1
    assert "--async cannot be used here" in result.output
