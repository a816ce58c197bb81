"""Which tests of a run by several processes (`pytest -n 3`) go together, and which start first."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ONE_BY_ONE = ("tests/pipelines/", "tests/scoring/test_", "tests/contracts/test_models.py")
"""Files with many long tests that share what they need through folders, not through fixtures of their process."""


class Scheduling(LoadScopeScheduling):
    """Each process gets the next file when it is about to be without work, or the next test of such files."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::")[0]
        return nodeid if file.startswith(ONE_BY_ONE) else file
