"""What `mlflow models serve` loads of a registered version: no code of the model's own, only this module.

Given raw samples, as `scoring.raw.scored_raw` takes them, it answers for each with `latent`, `cluster`, `distance`
(null for noise), `predicted` and `probability` (where there is a classifier), `reconstruction_error` (where the method
has a decoder), `anomaly_score` and `anomaly`.
"""

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import torch
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from mlflow.models import Model
from threadpoolctl import threadpool_limits

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import cpus
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.raw import scored_raw


class Refusal(MlflowException):
    """Answered with status 400 and the reason alone: MLflow would put the whole request before it."""

    def __init__(self, reason: str) -> None:
        self._reason = reason
        super().__init__(reason, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        return self._reason

    @message.setter
    def message(self, longer: str) -> None:
        pass


class Served:
    """The models behind an endpoint, verified.

    The server answers each request in a thread of its own. Here every CPU takes a request at a time and works on it
    with one thread, so that many requests at once neither get in each other's way nor need more memory.
    """

    def __init__(self, folder: Path) -> None:
        self._models = ScoringModel(folder)
        self._models.open()  # otherwise each of the first requests would
        self._pool = ThreadPoolExecutor(cpus(), thread_name_prefix="score", initializer=_one_thread)

    def predict(self, data: Any) -> list[dict[str, Any]]:
        """A record for each sample; `Refusal` for what the models cannot take."""
        try:
            return self._pool.submit(scored_raw, self._models, data).result()
        except InputError as error:
            raise Refusal(str(error)) from error


def _one_thread() -> None:
    """Use one thread for all that is computed in this one, by torch and by other libraries' OpenMP."""
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="openmp")


def _load_pyfunc(path: str) -> Served:
    """Open a model; the name is MLflow's."""
    leave_requests_alone()
    return Served(Path(path))


@cache
def leave_requests_alone() -> None:
    """Let requests for our models reach them as they are: `scored_raw` says itself what it does not take.

    MLflow would cast them by the model's signature (0.5 to 0, null to "None"), drop columns that it does not name, and
    refuse images in base64.
    """
    by_signature = Model.get_input_schema

    def schema_to_cast_by(model: Model) -> Any:
        ours = model.flavors.get("python_function", {}).get("loader_module") == __name__
        return None if ours else by_signature(model)

    Model.get_input_schema = schema_to_cast_by
