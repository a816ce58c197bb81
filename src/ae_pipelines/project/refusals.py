"""What a run, or another command, says instead of a traceback."""

from functools import partial
from pathlib import Path
from traceback import walk_tb

from kedro.config import MissingConfigException
from kedro.io import DatasetNotFoundError
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError  # type: ignore[import-untyped]

from ae_pipelines.base import commands
from ae_pipelines.base.errors import InputError, caused_by
from ae_pipelines.base.failures import refusal_in
from ae_pipelines.project.advice import advised
from ae_pipelines.tracking.store import said_by_mlflow, store_uri

OF_FILES = ("kedro.config.omegaconf_config", "fsspec.registry")
"""Modules that raise errors of Python's own over files of the configuration."""


def input_error(exception: BaseException) -> InputError | None:
    """What to tell of an exception: the `InputError` that it is or was caused by, or one that says what is wrong with
    the machine, with files of the configuration, or in MLflow. None for others, which are mistakes of ours."""
    if (refusal := refusal_in(exception)) is not None:
        of_database = any(type(error).__module__ == "sqlite3" for error in caused_by(exception))
        return InputError(f"MLflow's database {store_uri(Path.cwd())}: {refusal}") if of_database else refusal
    for error in caused_by(exception):
        if isinstance(error, YAMLError):
            return InputError(f"{error} Mend that file: it is part of the configuration")
        if isinstance(error, MissingConfigException):
            return InputError(f"{error}: start in the folder that holds conf/, or give --project-path")
        if isinstance(error, OmegaConfBaseException) or _raised_in(error) in OF_FILES:
            what = str(error).partition("\n")[0].removeprefix("InputError raised while resolving interpolation: ")
            return InputError(f"the configuration cannot be read: {what}")
        if isinstance(error, DatasetNotFoundError):
            return InputError(str(error))
        if isinstance(error, ValueError) and _raised_in(error) == "kedro.pipeline.pipeline":
            return InputError(f"{error} `kedro registry describe <pipeline>` lists what there is")
        if (said := said_by_mlflow(error)) is not None:
            return InputError(said)
    return None


refusals = partial(commands.refusals, input_error, advised)
"""Within this block bad input, and what goes wrong with the machine, ends in one message with what to type."""


def _raised_in(error: BaseException) -> str:
    """The module that raised it; Kedro says there that nothing of a pipeline has the name that was typed."""
    frames = list(walk_tb(error.__traceback__))
    return str(frames[-1][0].f_globals["__name__"]) if frames else ""
