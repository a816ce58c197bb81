"""Runs as processes of their own: signals, several at once, start-up; from another folder in test_wheel.py."""

import signal
import subprocess
import sys
import time

import pytest
import stores
from making import PATIENCE, PROJECT

FOREVER = "recipe.training.epochs=100000,recipe.training.threads=1,recipe.training.patience=null"


def wait_until_training(process, mlflow_runs):
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(process.stdout.read())
        runs = mlflow_runs()
        if runs and "fit/loss" in runs[-1].data.metrics:
            return
        time.sleep(0.2)
    pytest.fail(f"no epoch was reported within {PATIENCE} s")


@pytest.fixture
def training(kedro, mlflow_runs):
    process = kedro("--pipelines=ingest,fit", params=FOREVER)
    try:
        wait_until_training(process, mlflow_runs)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_run_that_is_interrupted_is_recorded_as_killed(training, mlflow_runs):
    training.send_signal(signal.SIGINT)
    assert training.wait(timeout=PATIENCE) != 0
    (record,) = mlflow_runs()
    assert record.info.status == "KILLED"


def test_a_run_that_sigkill_left_open_is_closed_by_the_next_start_and_the_training_is_taken_up(kedro, mlflow_runs):
    first = kedro("--pipelines=ingest,fit", params=f"{FOREVER},recipe.training.checkpoint_seconds=0")
    wait_until_training(first, mlflow_runs)
    first.kill()
    first.wait()
    assert mlflow_runs()[-1].info.status == "RUNNING"
    following = kedro("--pipelines=ingest,fit", params=f"{FOREVER},recipe.training.checkpoint_seconds=0")
    try:
        wait_until_training(following, lambda: mlflow_runs()[1:])
        following.send_signal(signal.SIGTERM)
        output, _ = following.communicate(timeout=PATIENCE)
    finally:
        following.kill()
    assert "taking up the training at epoch" in output
    assert [record.info.status for record in mlflow_runs()] == ["KILLED", "KILLED"]


def test_a_run_of_a_live_process_is_left_open_and_recorded_as_killed_when_it_is_terminated(
    training, kedro, mlflow_runs, tmp_path
):
    beside = kedro("--pipelines=ingest", params=f"data_dir={tmp_path / 'other'}")
    assert beside.wait(timeout=PATIENCE) == 0, beside.stdout.read()
    assert [record.info.status for record in mlflow_runs()] == ["RUNNING", "FINISHED"]
    training.send_signal(signal.SIGTERM)
    assert training.wait(timeout=PATIENCE) != 0
    assert [record.info.status for record in mlflow_runs()] == ["KILLED", "FINISHED"]


def test_several_first_runs_at_once_in_both_spellings_and_from_below_the_project_all_reach_the_fresh_store(
    kedro, mlflow_runs, tmp_path
):
    (tmp_path / stores.DATABASE).unlink()
    ways = (("--pipeline=ingest", PROJECT / "notebooks"), ("--pipelines=ingest", PROJECT))
    processes = [
        kedro(option, params=f"data_dir={tmp_path / str(number)}", cwd=folder)
        for number, (option, folder) in enumerate(ways)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, output
    assert [record.info.status for record in mlflow_runs()] == ["FINISHED"] * 2


def test_starting_a_run_imports_nothing_heavy():
    code = """
import sys
from kedro.framework.startup import bootstrap_project
from kedro.framework.session import KedroSession
bootstrap_project(__import__("pathlib").Path(sys.argv[1]))
with KedroSession.create(project_path=sys.argv[1]) as session:
    session.load_context().catalog
    from kedro.framework.project import pipelines
    dict(pipelines)
print([name for name in ("torch", "sklearn", "mlflow", "matplotlib", "scipy", "skops") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(PROJECT)], capture_output=True, text=True, timeout=PATIENCE
    )
    assert result.stdout.strip().splitlines()[-1] == "[]", result.stdout + result.stderr
