"""Notes about a run beside its results, a JSON file by stage: for a report that is made later."""

import json
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol


def file_of(catalog: CatalogProtocol, entry: str) -> Path | None:
    """Where a catalog's entry keeps notes, asked for before a run takes it away because its file is not there yet."""
    dataset: Any = catalog.get(entry)
    return None if dataset is None else Path(str(dataset._filepath))


def kept_in(path: Path) -> dict[str, Any]:
    """What is in the file; nothing if it is not there, or damaged, since these are only notes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
