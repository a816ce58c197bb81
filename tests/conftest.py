"""Small real data for every test, made on the spot.

`make test` runs all; one test: `.venv/bin/python -m pytest tests/base/test_atomic.py -k <words of its name>`.
Folders are those of the package; contracts/ holds what every registered part must do, pipelines/ real Kedro runs.
Beside them: making.py (samples, sources and files), stores.py (MLflow's stores), pairwise.py (few of all
combinations of options) and scheduling.py (which tests go to which process).
"""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import stores
from filelock import FileLock

from ae_pipelines.latents.file import Latents, read_latents
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.digits import Digits
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import embedding
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from scheduling import Scheduling

    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest starts first: Airflow, which mostly waits, then files with slow tests, then real runs."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(
        key=lambda item: (
            item.get_closest_marker("airflow") is None,
            item.path not in slow,
            item.path.parent.name != "pipelines",
        )
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no CUDA device here")


@pytest.fixture(scope="session", autouse=True)
def of_tests(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Iterator[None]:
    """Runs of the project, in this process and below it, are configured by `conf/test`, and not by `conf/local`; and
    they remember what they measure where no user's runs do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEDRO_ENV", "test")
        patch.setenv("AE_CACHE", str(made_once("cache", lambda _: None)))
        yield


@pytest.fixture(scope="session")
def operations_once() -> Iterator[None]:
    """For many ONNX files in one process: torch looks through all operations that it knows, and through all that ONNX
    has, once and not anew for each file, which is half of what a small file costs."""
    from torch._export import utils
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "_materialize_cpp_cia_ops", cache(utils._materialize_cpp_cia_ops))
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(cache(ONNXRegistry.from_torchlib)))
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """A folder of this name that all processes of a test run share: the first that asks for it fills it.

    For what takes seconds to make. Nobody may change what is in it: copy it first.
    """
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def made_once(name: str, fill: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a try that failed
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return made_once


@pytest.fixture(scope="session")
def empty_store(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """The folder of an MLflow store in which nothing is recorded, to be copied."""
    return made_once("empty_store", stores.make)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder with MNIST and CIFAR-10; tests that need it are skipped where it is not."""
    folder = os.environ.get("AE_TEST_DATA")
    if not folder:
        pytest.skip("AE_TEST_DATA is not set: needs the folder that holds mnist/ and cifar10/")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return write_store(tmp_path_factory.mktemp("digits"), Digits())


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """Trains in about a second."""
    return Recipe.model_validate(
        {
            "name": "small",
            "model": {"kind": "autoencoder", "latent_size": 8, "net": {"kind": "dense", "widths": [64]}},
            "loader": {"batch_size": 64},
            "training": {"epochs": 5, "threads": 1, "learning_rate": 2e-3},
        }
    )


@pytest.fixture(scope="session")
def trained(digits: Samples, recipe: Recipe) -> TrainedModel:
    """For all tests, so none may change it."""
    return train(digits, recipe)[0]


@pytest.fixture(scope="session")
def embedded(trained: TrainedModel, digits: Samples, tmp_path_factory: pytest.TempPathFactory) -> Latents:
    """The latents of all digits, from a file."""
    path = tmp_path_factory.mktemp("embedded") / "latents.parquet"
    write_latents(path, embedding.latent_stream(trained, digits))
    return read_latents(path)
