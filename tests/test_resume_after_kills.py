"""A short version of `benchmarks/resume_after_kills.py --kills 50`."""

import re
import subprocess
import sys

from making import PROJECT


def test_a_training_that_was_killed_again_and_again_ends_with_the_same_bits():
    script = PROJECT / "benchmarks" / "resume_after_kills.py"
    result = subprocess.run(
        [sys.executable, str(script), "--kills", "5"], capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    kills, trainings, taken_up, equal = map(int, re.findall(r"\d+", result.stdout.splitlines()[-1]))
    assert kills >= 5
    assert equal == trainings > 0
    assert taken_up > 0
