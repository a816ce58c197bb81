"""Whether the process that a run belongs to is still there."""

import os
import subprocess
import sys
import time

import psutil
import pytest
import stores
from mlflow import MlflowClient

from ae_pipelines.tracking import process
from ae_pipelines.tracking.process import BOOT, HOST, PID, SPACE, STARTED, TICKS, is_here, still_there, this_process
from ae_pipelines.tracking.runs import open_run


def test_this_process_is_still_there_whatever_the_clock_says(monkeypatch):
    tags = this_process()
    moved = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: moved)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: moved)
    assert still_there(tags)


def test_a_live_run_is_not_marked_killed_by_a_later_one_after_the_clock_was_set(empty_store, tmp_path, monkeypatch):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(tmp_path))
    monkeypatch.delenv("AE_RUN", raising=False)
    live = open_run(tmp_path, "train", time.time(), {})
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: time.time() + 86_400)
    open_run(tmp_path, "score", time.time(), {}).end("FINISHED")
    assert MlflowClient(uri).get_run(live.id).info.status == "RUNNING"


@pytest.mark.parametrize("changed", [{BOOT: "another start"}, {TICKS: "1"}, {PID: str(2**22 + 1)}, {PID: "x"}])
def test_a_process_of_the_same_number_is_not_it_after_the_machine_or_another_process_started(changed):
    assert not still_there(this_process() | changed)


def test_a_process_of_another_container_under_the_same_name_is_not_here_until_the_machine_has_started_again():
    there = this_process() | {SPACE: "pid:[1]"}
    assert is_here(this_process())
    assert not is_here(there), "so its turn is waited for"
    assert is_here(there | {BOOT: "another start"})


def test_a_process_that_has_ended_is_gone_though_nobody_asked_how():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        _, ticks = process._state_and_ticks(child.pid)
        tags = this_process() | {PID: str(child.pid), TICKS: ticks}
        assert still_there(tags)
        old = {PID: str(child.pid), STARTED: str(psutil.Process(child.pid).create_time())}
        assert still_there(old)
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not still_there(tags)
        assert not still_there(old)


def test_tags_from_before_there_were_ticks_are_understood():
    started = psutil.Process().create_time()
    assert still_there({PID: str(os.getpid()), STARTED: str(started)})
    assert not still_there({PID: str(os.getpid()), STARTED: str(started - 60)})
    assert not still_there({PID: str(os.getpid())})


def test_where_the_system_tells_no_ticks_the_time_of_the_start_stands_for_them(monkeypatch):
    monkeypatch.setattr(process, "_boot", lambda: None)
    tags = this_process()
    assert set(tags) == {HOST, PID, STARTED}
    assert still_there(tags)
