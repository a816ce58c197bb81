"""Notes about runs beside their results."""

import json
import logging
from pathlib import Path
from typing import Any

from ae_pipelines.base import seals

log = logging.getLogger(__name__)


def kept_in(path: Path) -> dict[str, dict[str, Any]]:
    """By stage what is in the file; nothing if it is not there or, which is said, damaged: these are only notes."""
    if not path.exists():
        return {}
    try:
        seals.seal_of(path)
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        log.warning("%s is damaged, and what was noted in it is gone: %s", path, error)
        return {}
    stages = found.items() if isinstance(found, dict) else ()
    return {stage: of_stage for stage, of_stage in stages if isinstance(of_stage, dict)}
