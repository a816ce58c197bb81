"""Attacks on the project: each is a test that is short in `make test`, and long in `make survive`."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

Record = Callable[..., None]


@pytest.fixture
def record() -> Record:
    """Tell what an attack came to, for the table that `make survive` writes: what was attacked, how often, and how many
    of these did what must never happen, by its name. Give it before asserting anything."""

    def write(attack: str, tries: int, found: dict[str, int], note: str = "") -> None:
        if place := os.environ.get("AE_SURVIVAL_LOG"):
            row = {"attack": attack, "tries": tries, "found": found, "note": note}
            with Path(place).open("a") as file:
                file.write(json.dumps(row) + "\n")

    return write
