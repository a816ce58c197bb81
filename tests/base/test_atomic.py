import os
import subprocess
import sys

import pytest

from ae_pipelines.base import atomic

KILLED = """
import os, signal, sys
from pathlib import Path
from ae_pipelines.base import atomic
with atomic.replacing(Path(sys.argv[1])) as temporary:
    temporary.write_text("half of the n")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_finished_write_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "sub" / "file.txt"
    atomic.write_text(path, "old")
    atomic.write_text(path, "new")
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file.txt"]


def test_an_error_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    atomic.write_text(path, "old")
    with pytest.raises(RuntimeError), atomic.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_killed_write_leaves_the_old_file_and_the_next_one_sweeps_up(tmp_path):
    path = tmp_path / "file.txt"
    atomic.write_text(path, "old")
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert path.read_text() == "old"
    assert len(os.listdir(tmp_path)) == 2, "the killed writer left its temporary file"
    atomic.write_text(path, "new")
    assert os.listdir(tmp_path) == ["file.txt"]
