import json
import os
import subprocess
import sys

import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.locking import only_run


def test_a_second_run_in_the_same_folder_is_refused_at_once_and_told_who_is_there(tmp_path):
    with only_run(tmp_path, "train"):
        started = json.loads((tmp_path / ".run.json").read_text())["started"]
        said = f"another run (train, pid {os.getpid()}, started {started}) works in {tmp_path}"
        with pytest.raises(InputError) as refused, only_run(tmp_path, "score"):
            pass
    assert str(refused.value).startswith(said)
    assert not tmp_path.exists()


def test_runs_one_after_the_other_and_in_other_folders_are_let_in(tmp_path):
    with only_run(tmp_path, "train"), only_run(tmp_path / "other", "train"):
        pass
    with only_run(tmp_path, "score"):
        assert json.loads((tmp_path / ".run.json").read_text())["name"] == "score"


def test_a_run_that_was_killed_holds_nothing(tmp_path):
    code = (
        "import os, signal; from pathlib import Path; from ae_pipelines.project.locking import only_run;"
        f"only_run(Path({str(tmp_path)!r}), 'train').__enter__(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    with only_run(tmp_path, "score"):
        pass
