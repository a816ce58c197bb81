"""Runs of a real Airflow, started by their schedules: scheduler, task processes, retries, the pool and MLflow are real.

One Airflow serves all tests of this file, in the order in which they stand here: each goes on where the one before
ended. The project is a folder somewhere on disk that holds nothing but conf/.
"""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import yaml
from making import PATIENCE, PROJECT
from mlflow import MlflowClient

from ae_pipelines.project.airflow.local import end_all

pytestmark = [pytest.mark.airflow, pytest.mark.slow]

EPOCHS = 30
EVERY_MINUTE = "* * * * *"
TRAIN = {
    "pipeline": "train",
    "schedule": "@once",
    "retry_delay_seconds": 1,
    # Long enough to be killed in the middle.
    "params": {
        "recipe.training.epochs": EPOCHS,
        "recipe.training.patience": None,
        "recipe.training.threads": 1,
        "recipe.training.checkpoint_seconds": 0,
    },
}
FIT = TRAIN | {"pipeline": "fit", "schedule": EVERY_MINUTE}
"""The same DAG with the stage alone that was killed: what it needs is there, and the others cost minutes."""
SCORE = {"pipeline": "score", "schedule": EVERY_MINUTE, "retries": 0}
UNHURRIED = {
    # A file is read when it has changed, which is looked at more often, and not twice a minute all the same.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
}
"""Settings with which Airflow takes less of the processor."""
FAILS = {
    "pipeline": "score",
    "schedule": "@once",
    "retries": 0,
    "params": {"data_dir": "other", "model_name": "nobody"},
}


@pytest.fixture(scope="session")
def airflow_command() -> Path:
    """Airflow from conf/airflow/requirements.lock, installed once."""
    command = PROJECT / ".airflow/venv/bin/airflow"
    made = subprocess.run(
        ["make", ".airflow/venv/.installed"], cwd=PROJECT, capture_output=True, text=True, timeout=900
    )
    if made.returncode:
        pytest.skip(f"Airflow cannot be installed here: {(made.stdout + made.stderr).strip()[-500:]}")
    return command


def scores_an_empty_folder(folder: Path) -> dict:
    """A DAG that scores what lies in a folder in which nothing lies."""
    folder.mkdir(exist_ok=True)
    params = {"source": "image_folder", "source.path": str(folder), "source.labels": "none"}
    return {"pipeline": "score", "schedule": "@once", "retries": 0, "params": params}


class LocalAirflow:
    """A running Airflow, and what its database says."""

    def __init__(self, folder: Path) -> None:
        self.project, self.home = folder / "a project", folder / "home"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.environment |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "OMP_NUM_THREADS": "1"}
        self.environment |= UNHURRIED
        shutil.copytree(PROJECT / "conf", self.project / "conf", ignore=shutil.ignore_patterns("local"))
        shutil.copy(PROJECT / "conf/test/parameters.yml", self.project / "conf/airflow")

    def plan(self, **dags: dict) -> None:
        """What conf/airflow/airflow.yml says from now on."""
        (self.project / "conf/airflow/airflow.yml").write_text(yaml.safe_dump(dags))
        command = [
            sys.executable,
            "-m",
            "ae_pipelines.project.airflow",
            "--project-path=.",
            f"--dags={self.home / 'dags'}",
        ]
        subprocess.run(command, cwd=self.project, env=self.environment, check=True, timeout=PATIENCE)

    def start(self, airflow: Path) -> psutil.Popen:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "ae_pipelines.project.airflow.local",
            f"--home={self.home}",
            f"--airflow={airflow}",
        ]
        return psutil.Popen([*command, f"--port={port}"], cwd=self.project, env=self.environment)

    def query(self, sql: str, *values: str) -> list[tuple]:
        database = self.home / "airflow.db"
        if not database.exists():
            return []
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
            return connection.execute(sql, values).fetchall()

    def runs(self, dag: str) -> list[tuple[str, str]]:
        """Id and state of its scheduled runs, first first."""
        sql = "select run_id, state from dag_run where dag_id = ? and run_type = 'scheduled' order by id"
        try:
            return self.query(sql, dag)
        except sqlite3.OperationalError:  # no tables yet
            return []

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """The state of each task."""
        return dict(self.query("select task_id, state from task_instance where dag_id = ? and run_id = ?", dag, run))

    def tries(self, dag: str, run: str) -> dict[str, int]:
        """How often each task was started."""
        return dict(
            self.query("select task_id, try_number from task_instance where dag_id = ? and run_id = ?", dag, run)
        )

    def wait_for_run(self, dag: str, number: int) -> tuple[str, str]:
        """Id and state of the run with this number, from 0, once it has ended."""
        return self.wait_for(
            lambda: next(
                iter(run for run in self.runs(dag)[number : number + 1] if run[1] in ("success", "failed")), None
            )
        )

    def wait_for(self, condition):
        until = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert self.process.poll() is None, "Airflow has ended"
            assert time.monotonic() < until, f"not within {PATIENCE} s; {self.states()}"
            time.sleep(0.3)
        return found

    def states(self) -> dict:
        runs = self.query("select dag_id, run_id from dag_run order by id")
        return {(dag, run): self.tasks(dag, run) for dag, run in runs}

    def log(self, dag: str, run: str, task: str) -> str:
        """What the last try of a task said."""
        folder = self.home / f"logs/dag_id={dag}/run_id={run}/task_id={task}"
        return max(folder.glob("attempt=*.log")).read_text()

    def mlflow_runs(self) -> list:
        client = MlflowClient(self.environment["MLFLOW_TRACKING_URI"])
        experiment = client.get_experiment_by_name("ae_pipelines")
        return client.search_runs([experiment.experiment_id]) if experiment else []

    def mlflow_run(self, dag: str, run: str):
        """The only one that belongs to a DAG run."""
        (found,) = [record for record in self.mlflow_runs() if record.data.tags.get("ae_run") == f"{dag}/{run}"]
        return found


@pytest.fixture(scope="module")
def airflow(airflow_command, tmp_path_factory):
    airflow = LocalAirflow(tmp_path_factory.mktemp("airflow"))
    airflow.plan(ae_train=TRAIN)
    airflow.process = airflow.start(airflow_command)
    try:
        yield airflow
        everything = [airflow.process, *airflow.process.children(recursive=True)]
        airflow.process.terminate()
        airflow.process.wait(timeout=PATIENCE)
        assert not [process for process in everything if is_at_work(process)], "something outlived Airflow"
    finally:
        end_all(airflow.process, patience=30)


def is_at_work(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE  # where nobody reaps orphans


def process_of(stage: str, project: Path) -> psutil.Process | None:
    """The process that runs a stage of this project."""
    words = {f"--namespaces={stage}", f"--project-path={project}"}
    processes = psutil.process_iter(["cmdline"])
    return next((found for found in processes if words <= set(found.info["cmdline"] or ())), None)


def is_training(airflow) -> bool:
    return any("fit/loss" in record.data.metrics for record in airflow.mlflow_runs())


def test_a_scheduled_run_ends_green_though_a_stage_was_killed_in_the_middle(airflow):
    fit = airflow.wait_for(lambda: process_of("fit", airflow.project))
    airflow.wait_for(lambda: is_training(airflow))  # MLflow's database is there by now
    fit.kill()
    run, state = airflow.wait_for_run("ae_train", 0)
    assert state == "success", airflow.states()
    assert airflow.tries("ae_train", run)["fit"] == 2
    assert "taking up the training at epoch" in airflow.log("ae_train", run, "fit")
    tasks = airflow.tasks("ae_train", run)
    assert (tasks.pop("any_failed"), tasks.pop("failed")) == ("skipped", "skipped")
    assert set(tasks.values()) == {"success"}


def test_the_killed_run_is_one_mlflow_run_with_each_value_once(airflow):
    (run, _), *_ = airflow.runs("ae_train")
    record = airflow.mlflow_run("ae_train", run)
    assert record.info.status == "FINISHED"
    client = MlflowClient(airflow.environment["MLFLOW_TRACKING_URI"])
    for name in ("fit/loss", "cluster/accuracy", "detect/auroc"):
        steps = Counter(point.step for point in client.get_metric_history(record.info.run_id, name))
        assert set(steps.values()) <= {1}, name
    assert len(client.get_metric_history(record.info.run_id, "fit/loss")) == EPOCHS


def test_the_next_scheduled_run_ends_green_too_and_scoring_runs_beside_it(airflow):
    airflow.plan(ae_train=FIT)
    airflow.wait_for(lambda: len(airflow.runs("ae_train")) > 1)
    no_third = FIT | {"schedule": None}  # it would take the turns of the others
    empty = scores_an_empty_folder(airflow.home / "nothing")
    airflow.plan(ae_train=no_third, ae_score=SCORE, ae_empty=empty, ae_fails=FAILS)
    run, state = airflow.wait_for_run("ae_train", 1)
    assert state == "success", airflow.states()
    assert airflow.mlflow_run("ae_train", run).info.status == "FINISHED"
    run, state = airflow.wait_for_run("ae_score", 0)
    assert state == "success", airflow.states()
    assert airflow.tasks("ae_score", run)["drift"] == "success"


def test_a_stage_that_has_nothing_to_do_is_skipped_with_all_that_follow_and_the_run_is_green(airflow):
    run, state = airflow.wait_for_run("ae_score", 1)
    assert state == "success", airflow.states()
    tasks = airflow.tasks("ae_score", run)
    assert [tasks[stage] for stage in ("collect", "apply", "drift")] == ["skipped"] * 3
    assert tasks["finished"] == "success"
    record = airflow.mlflow_run("ae_score", run)
    assert record.info.status == "FINISHED"
    assert "has scored all of the" in record.data.tags["nothing_to_do"]


def test_an_empty_source_is_skipped_and_the_run_is_green(airflow):
    run, state = airflow.wait_for_run("ae_empty", 0)
    assert state == "success", airflow.states()
    tasks = airflow.tasks("ae_empty", run)
    assert [tasks[stage] for stage in ("collect", "apply", "drift")] == ["skipped"] * 3
    assert "no images in" in airflow.mlflow_run("ae_empty", run).data.tags["nothing_to_do"]


def test_two_scheduled_runs_are_two_mlflow_runs_with_the_metrics_of_all_their_stages(airflow):
    first, second = (airflow.mlflow_run("ae_train", run).data.metrics for run, _ in airflow.runs("ae_train")[:2])
    stages = {name.split("/")[0] for name in first}
    assert {"ingest", "fit", "embed", "cluster", "classify", "detect", "export"} <= stages
    assert {name for name in first if name.startswith("fit/")} == {name for name in second if name.startswith("fit/")}
    client = MlflowClient(airflow.environment["MLFLOW_TRACKING_URI"])
    assert [version.version for version in client.search_model_versions("name = 'digits'")] == [1]


def test_a_stage_that_fails_for_good_makes_the_run_failed_here_and_in_mlflow(airflow):
    run, state = airflow.wait_for_run("ae_fails", 0)
    assert state == "failed"
    tasks = airflow.tasks("ae_fails", run)
    assert tasks["collect"] == "failed"
    assert {tasks[task] for task in ("apply", "drift", "finished")} == {"upstream_failed"}
    assert tasks["failed"] == "success"
    assert airflow.mlflow_run("ae_fails", run).info.status == "FAILED"


def test_stages_of_all_dags_took_turns(airflow):
    spans = airflow.query(
        "select start_date, end_date from task_instance where pool = 'ae_pipelines' and end_date is not null"
        " and try_number > 0 order by start_date"
    )
    assert len(spans) > 10
    for (_, end), (start, _) in pairwise(spans):
        assert end <= start
