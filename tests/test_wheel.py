"""The project from its wheel: without the source tree, with the configuration in another folder."""

import json
import os
import shutil
import site
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from making import PROJECT

pytestmark = pytest.mark.slow

QUICK = "recipe=dense,recipe.training.epochs=2,recipe.training.threads=1"


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own, and a folder with nothing but `conf`."""

    environment: Path
    project: Path

    def run(self, command: str, *arguments: str, cwd: Path | None = None) -> str:
        """What it prints; fails if it fails."""
        hidden = {"PYTHONPATH", "MLFLOW_TRACKING_URI", "VIRTUAL_ENV"}
        done = subprocess.run(
            [self.environment / "bin" / command, *arguments],
            cwd=cwd or self.project,
            env={name: value for name, value in os.environ.items() if name not in hidden} | {"DO_NOT_TRACK": "true"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools writes beside what it builds, and takes up what an earlier build left there."""
    copy, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    shutil.copytree(PROJECT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target)]
    subprocess.run(command, cwd=copy, check=True, stdout=subprocess.DEVNULL)
    (path,) = target.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Other packages are those of this environment, but not what a path file of it adds: the source tree."""
    environment, project = tmp_path_factory.mktemp("environment"), tmp_path_factory.mktemp("project")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()))
    shutil.copytree(PROJECT / "conf", project / "conf", ignore=shutil.ignore_patterns("local"))
    (project / "conf" / "local").mkdir()
    return Installed(environment, project)


def test_every_file_of_the_package_is_in_the_wheel(wheel):
    source = PROJECT / "src"
    files = {path.relative_to(source).as_posix() for path in (source / "ae_pipelines").rglob("*") if path.is_file()}
    with zipfile.ZipFile(wheel) as content:
        assert {name for name in files if "__pycache__" not in name} - set(content.namelist()) == set()


def test_from_the_wheel_alone_models_are_trained_and_new_data_are_scored(installed, tmp_path):
    where = installed.run("python", "-c", "import ae_pipelines; print(ae_pipelines.__file__)").strip()
    assert Path(where).is_relative_to(installed.environment)
    installed.run("python", "-m", "ae_pipelines", "--pipelines=train", f"--params={QUICK}")
    installed.run("ae-pipelines", f"--project-path={installed.project}", "--pipelines=score", cwd=tmp_path)
    data = installed.project / "data"
    registration = json.loads((data / "08_reporting/registration.json").read_text())
    assert (registration["version"], registration["promoted"]) == (1, True)
    (scores,) = (data / "07_model_output/scores").glob("*/*.parquet")
    assert pq.read_metadata(scores).num_rows == 1797
    assert json.loads((data / "08_reporting/score_metrics.json").read_text())["accuracy"] > 0.8
    assert {path.name for path in installed.project.iterdir()} >= {"mlflow.db", "mlartifacts"}
    assert not list(tmp_path.iterdir())
