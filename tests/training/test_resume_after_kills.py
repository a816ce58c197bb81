"""A short version of `benchmarks/resume_after_kills.py --kills 50`, and of that with --frozen.

With one thread: with more, processes that want the same cores wait for one another in busy loops. That a training is
taken up with the number of threads that it had is tested in test_loop.py.
"""

import re
import subprocess
import sys

import pytest
from making import PATIENCE, PROJECT

pytestmark = pytest.mark.slow

SHORT = ["--epochs", "2", "--threads", "1"]


@pytest.mark.parametrize("arguments", [["--kills", "5"], ["--kills", "3", "--frozen"]], ids=["all", "frozen encoder"])
def test_a_training_that_was_killed_again_and_again_ends_with_the_same_bits(arguments):
    script = PROJECT / "benchmarks" / "resume_after_kills.py"
    result = subprocess.run(
        [sys.executable, str(script), *arguments, *SHORT], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    kills, trainings, taken_up, equal = map(int, re.findall(r"\d+", result.stdout.splitlines()[-1]))
    assert kills >= int(arguments[1])
    assert equal == trainings > 0
    assert taken_up > 0
