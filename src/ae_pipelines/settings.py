"""Kedro's project settings."""

import warnings

from ae_pipelines.project.configuration import ConfigLoader, Context
from ae_pipelines.project.hooks import CheckHook, LockHook, TrackingHook

# Kedro 1.7 calls this deprecated function of omegaconf; nothing a user can do about it.
warnings.filterwarnings("ignore", message="register_new_resolver", category=UserWarning)

HOOKS = (LockHook(), CheckHook(), TrackingHook())
CONTEXT_CLASS = Context
CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "catalog": "soft", "globals": "soft"},
}
