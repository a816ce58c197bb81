"""Notes about runs beside their results."""

import json
from pathlib import Path
from typing import Any

from ae_pipelines.base import seals


def kept_in(path: Path) -> dict[str, dict[str, Any]]:
    """By stage what is in the file; nothing if it is not there, or damaged, since these are only notes."""
    try:
        seals.seal_of(path)
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    stages = found.items() if isinstance(found, dict) else ()
    return {stage: of_stage for stage, of_stage in stages if isinstance(of_stage, dict)}
