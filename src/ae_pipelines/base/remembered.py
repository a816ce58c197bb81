"""What was measured on this machine, kept for the next time in the user's cache folder."""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from ae_pipelines.base import atomic

MOST = 1000
"""Entries of a file; those that were kept longest ago go first."""


def cache_folder() -> Path:
    """`$AE_CACHE`, else `ae_pipelines` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if own := os.environ.get("AE_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ae_pipelines"


def recall(name: str, key: str) -> Any:
    """What was kept last under `key` in the file `name`; None where there is nothing, or no such file that is whole."""
    return _entries(name).get(key)


def keep(name: str, key: str, value: Any) -> None:
    """Keep `value`, which JSON can hold, under `key`; where the folder cannot be written, nothing is kept.

    Of two processes that keep something at once one may win: what the other measured is then measured again.
    """
    others = {other: kept for other, kept in _entries(name).items() if other != key}
    entries = dict([*others.items(), (key, value)][-MOST:])
    with suppress(OSError, RuntimeError):
        atomic.write_text(cache_folder() / name, json.dumps(entries, indent=1))


def _entries(name: str) -> dict[str, Any]:
    with suppress(OSError, RuntimeError, ValueError):  # no such file, no home folder, no JSON
        entries = json.loads((cache_folder() / name).read_text(encoding="utf-8"))
        if isinstance(entries, dict):
            return entries
    return {}
