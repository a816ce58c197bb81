"""Notes about runs beside their results."""

import json
from pathlib import Path
from typing import Any

from ae_pipelines.io.atomic_datasets import JSONDataset


class NotesDataset(JSONDataset):
    """A JSON file of notes by stage, which no run fails for: those of a damaged one are gone."""

    def load(self) -> dict[str, dict[str, Any]]:
        return kept_in(Path(self._filepath))


def kept_in(path: Path) -> dict[str, dict[str, Any]]:
    """By stage what is in the file; nothing if it is not there, or damaged, since these are only notes."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    stages = found.items() if isinstance(found, dict) else ()
    return {stage: of_stage for stage, of_stage in stages if isinstance(of_stage, dict)}
