"""Kedro's runners that do several things at once are refused: what a run makes must not depend on them."""

from collections.abc import Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.runner import AbstractRunner
from kedro.utils import load_obj

from ae_pipelines.base.errors import InputError

REFUSED = {
    "ThreadRunner": "nodes that run at once share torch's random numbers and its number of threads",
    "ParallelRunner": "its processes know neither of what was checked nor of the run in MLflow",
}
"""Why, by the runner's name."""
INSTEAD = "leave it out: training, embedding and decoding use all CPUs themselves"


class RunnerHook:
    """Refuses, before anything else is done, a runner that would do several nodes at once."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any]) -> None:
        described = str(run_params.get("runner"))
        for name, why in REFUSED.items():
            if name in described:
                raise InputError(f"{name} cannot be used here: {why}; {INSTEAD}")


def refuse_async(given: Mapping[str, Any]) -> None:
    """`InputError` if a node's datasets are to be saved at once: much of its work is done while they are saved, and one
    may tell of another."""
    if given.get("is_async") or (given.get("runner_params") or {}).get("is_async"):
        raise InputError(f"--async cannot be used here: nodes work while their results are saved, in order; {INSTEAD}")


def refuse_unknown_runner(given: Mapping[str, Any]) -> None:
    """`InputError` if what is given as a runner is none: Kedro would call it."""
    if not (name := given.get("runner")):
        return
    try:
        found = load_obj(name, "kedro.runner")
    except (ImportError, AttributeError, ValueError, TypeError):
        found = None
    if not (isinstance(found, type) and issubclass(found, AbstractRunner)):
        raise InputError(f"no runner called {name!r}: leave --runner out, or give SequentialRunner")
