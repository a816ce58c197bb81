import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from operator import mul
from pathlib import Path

import psutil
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.executors import in_processes

SCRIPT = f"""
import sys
print("main", flush=True)
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from test_executors import in_processes, mul, process_or_for_ever
"""


def process_or_for_ever(first_wait, number):
    """The number of this process; from item `first_wait` on there is no end."""
    if number >= first_wait:
        threading.Event().wait()
    return os.getpid()


def die(_, number):
    if number == 5:
        os._exit(1)
    return number


def test_results_come_in_order_and_items_are_taken_only_a_few_ahead():
    taken = []
    items = (taken.append(number) or number for number in range(40))
    for place, result in enumerate(in_processes(mul, 10, items, workers=2)):
        assert result == 10 * place
        assert len(taken) <= place + 1 + 4
    assert place == 39
    assert multiprocessing.active_children() == []


def test_with_one_ahead_less_than_workers_an_item_is_taken_when_an_earlier_result_was_dealt_with():
    events = []
    items = (events.append(("taken", number)) or number for number in range(6))
    for number in in_processes(mul, 1, items, workers=2, ahead=1):
        events.append(("done", number))
    place = {event: at for at, event in enumerate(events)}
    for number in range(2, 6):
        assert place["done", number - 2] < place["taken", number] < place["done", number - 1]


def test_a_worker_that_ends_in_its_work_is_an_error_that_says_so():
    with pytest.raises(InputError, match="a worker process ended in the middle of its work") as refused:
        list(in_processes(die, None, range(40), workers=2, option="tune.workers"))
    assert [*refused.value.options] == ["tune.workers"]
    assert multiprocessing.active_children() == []


def test_who_needs_no_more_results_does_not_wait_for_them():
    results = in_processes(process_or_for_ever, 2, range(40), workers=2)
    next(results)
    results.close()
    assert multiprocessing.active_children() == []


def test_workers_do_not_run_the_script_again(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT + "print([*in_processes(mul, 2, range(4), 2)], __file__)")
    command = [sys.executable, str(tmp_path / "script.py")]
    assert subprocess.check_output(command, text=True) == f"main\n[0, 2, 4, 6] {tmp_path / 'script.py'}\n"


@pytest.mark.parametrize(("number", "whom"), [(signal.SIGKILL, os.kill), (signal.SIGINT, os.killpg)])
def test_workers_end_with_the_process_that_started_them(tmp_path, number, whom):
    (tmp_path / "script.py").write_text(
        SCRIPT + "for one in in_processes(process_or_for_ever, 8, range(9), 2): print(one, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "script.py")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a group of its own, which Ctrl-C reaches
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout.readline() == "main\n"
    workers = {int(process.stdout.readline()) for _ in range(8)}
    children = psutil.Process(process.pid).children()
    assert workers <= {child.pid for child in children}
    whom(process.pid, number)
    assert not psutil.wait_procs(children, timeout=120)[1]
    _, said = process.communicate()
    assert said.count("Traceback") == (number == signal.SIGINT)  # of one process alone
