"""Datasets of one file whose result may be skipped."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ae_pipelines.base import part_files, seals
from ae_pipelines.base.skipped import NotAskedFor, Skipped
from ae_pipelines.io.local import Sealed


class Skippable(Sealed):
    """Mixin: save `Skipped`, and an earlier file is gone, with a note beside its place; load gives it back. Save
    `NotAskedFor`, and all stays as it is.

    The file counts before the note, so that each takes the place of the other in one step.
    """

    def sealed(self) -> Path | None:
        return self._note if self._stands_in() else super().sealed()

    def skipped(self) -> Skipped | None:
        """What was saved, if that was `Skipped`."""
        if not self._stands_in():
            return None
        seals.check(self._note, "run the stage that left it out again")
        return Skipped(**json.loads(self._note.read_text(encoding="utf-8")))

    def load(self) -> Any:
        found = self.skipped()
        return super().load() if found is None else found  # type: ignore[misc]

    def save(self, data: Any) -> None:
        if isinstance(data, NotAskedFor):
            return
        if isinstance(data, Skipped):
            seals.write_text(self._note, json.dumps(asdict(data)))
            part_files.remove(Path(self._filepath))
        else:
            super().save(data)  # type: ignore[misc]
            seals.remove(self._note)

    def _exists(self) -> bool:
        return self.skipped() is not None or super()._exists()  # type: ignore[misc]

    def _stands_in(self) -> bool:
        """Whether there is the note, and no file."""
        return self._note.exists() and not Path(self._filepath).exists()

    @property
    def _note(self) -> Path:
        return Path(f"{self._filepath}.skipped")
