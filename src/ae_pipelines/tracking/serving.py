"""What `mlflow models serve` loads of a registered version: no code of the model's own, only this module.

Given raw samples, as `scoring.raw.scored_raw` takes them, it answers for each with `latent`, `cluster`, `distance`
(null for noise), `predicted` and `probability` (where there is a classifier), `reconstruction_error` (where the method
has a decoder), `anomaly_score` and `anomaly`.
"""

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import torch
from mlflow.models import Model
from mlflow.pyfunc import scoring_server
from threadpoolctl import threadpool_limits

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import cpus
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.raw import scored_raw
from ae_pipelines.tracking.endpoint.limits import bound_uvicorn
from ae_pipelines.tracking.endpoint.requests import Refusal, answer


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
    read_requests_ourselves()
    served = Served(Path(path))
    if scoring_server._SERVER_MODEL_PATH in os.environ:  # `mlflow models serve` starts its server with it
        bound_uvicorn()
        gc.freeze()  # otherwise all that was imported is gone through again and again while a large request is read
    return served


@cache
def read_requests_ourselves() -> None:
    """Let requests for our models reach them as they are, and be read within bounds: `scored_raw` says itself what it
    does not take.

    MLflow would cast them by the model's signature (0.5 to 0, null to "None"), drop columns that it does not name,
    refuse images in base64, and read what memory cannot hold.
    """
    by_signature, by_mlflow = Model.get_input_schema, scoring_server.invocations

    def schema_to_cast_by(model: Model) -> Any:
        return None if _is_ours(model) else by_signature(model)

    def invocations(data: Any, content_type: Any, model: Any, input_schema: Any) -> Any:
        ours = _is_ours(model.metadata)
        return answer(data, content_type, model) if ours else by_mlflow(data, content_type, model, input_schema)

    Model.get_input_schema, scoring_server.invocations = schema_to_cast_by, invocations


def _is_ours(model: Model) -> bool:
    return bool(model.flavors.get("python_function", {}).get("loader_module") == __name__)
