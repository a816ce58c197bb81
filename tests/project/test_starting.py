"""Garbage is collected rarely while a run starts, and as usual in its nodes."""

import subprocess
import sys

WHILE_IT_STARTS = """
import gc
usual = gc.get_threshold()
from ae_pipelines.settings import HOOKS
starting = gc.get_threshold()
from ae_pipelines.project.starting import StartHook
next(hook for hook in HOOKS if isinstance(hook, StartHook)).before_pipeline_run()
print(starting[0] // usual[0] > 100, gc.get_threshold() == usual)
"""


def test_garbage_is_collected_rarely_until_a_run_begins():
    said = subprocess.run([sys.executable, "-c", WHILE_IT_STARTS], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "True"]
