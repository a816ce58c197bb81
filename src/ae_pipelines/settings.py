"""Kedro's project settings."""

import logging
import warnings

from ae_pipelines.project.starting import StartHook  # isort: split

from ae_pipelines.project.advice import SaidOnce
from ae_pipelines.project.checking import CheckHook
from ae_pipelines.project.configuration import ConfigLoader, Context
from ae_pipelines.project.discreet import DiscreetHook
from ae_pipelines.project.given import GivenHook
from ae_pipelines.project.locking import LockHook
from ae_pipelines.project.optional import OptionalHook
from ae_pipelines.project.runners import RunnerHook
from ae_pipelines.project.suiting import SuitingHook
from ae_pipelines.project.tracked import TrackingHook
from ae_pipelines.project.up_to_date import UpToDateHook
from ae_pipelines.project.warned import WarningsHook

# Kedro 1.7 calls this deprecated function of omegaconf; nothing a user can do about it.
warnings.filterwarnings("ignore", message="register_new_resolver", category=UserWarning)

for _said_by in ("runner.sequential_runner", "runner.thread_runner", "runner.parallel_runner", "pipeline.node"):
    logging.getLogger(f"kedro.{_said_by}").addFilter(SaidOnce())

# It shows the traceback of an error that it then raises, which is told in a sentence.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

# The last of those that want to be first is.
HOOKS = (
    LockHook(),
    CheckHook(),
    SuitingHook(),
    OptionalHook(),
    WarningsHook(),
    GivenHook(),
    TrackingHook(),
    UpToDateHook(),
    RunnerHook(),
    DiscreetHook(),
    StartHook(),
)
CONTEXT_CLASS = Context
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # spaces are read one at a time (`project/spaces_by_name.py`): all of them would take as long as everything else
    "config_patterns": {"parameters": ["parameters*", "parameters*/*", "parameters*/recipes/**", "**/parameters*"]},
    "merge_strategy": {"parameters": "soft", "catalog": "soft", "globals": "soft"},
}
