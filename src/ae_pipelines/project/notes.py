"""Notes about a run beside its results, a JSON file by stage: for a report that is made later."""

import json
import logging
from pathlib import Path
from typing import Any

from ae_pipelines.base import seals

log = logging.getLogger(__name__)


def file_of(catalog: dict[str, Any], entry: str) -> Path | None:
    """Where an entry of the catalog keeps notes. Asked of what is configured: making a dataset imports its library, and
    a run takes the entry away where its file is not there yet."""
    return Path(catalog[entry]["filepath"]) if entry in catalog else None


def keep(path: Path, notes: dict[str, Any]) -> Path | None:
    """Write notes, and give their place; where that cannot be done, say so and give None: no work ends for them."""
    try:
        seals.write_text(path, json.dumps(notes, indent=1))
    except OSError as error:
        log.warning("the report will not tell all about this run, since its notes cannot be written: %s", error)
        return None
    return path
