"""A study's journal: its trials in a file that Optuna's tools read, such as optuna-dashboard.

It is made from what trials keep in their folders, one line a trial that is over, in order: what is missing is added,
and a journal that cannot be read is written anew.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from ae_pipelines.tuning.in_optuna import Goals, InOptuna, without_remarks
from ae_pipelines.tuning.trial import Outcome

log = logging.getLogger(__name__)


class Journal:
    """The journal of one study, of which this process is the only writer."""

    def __init__(self, path: Path, name: str, objectives: Sequence[str], named: InOptuna) -> None:
        self._path, self._name, self._objectives, self._named = path, name, objectives, named
        heal(path)
        with without_remarks():
            try:
                self._study = self._opened()
                self.told = len(self._study.trials)
            except (OSError, MemoryError):
                raise
            except Exception as error:  # whatever Optuna makes of a line that is not its own
                log.warning("%s cannot be read (%s: %s): written anew", path, type(error).__name__, error)
                path.unlink()
                self._study, self.told = self._opened(), 0

    def add(self, outcome: Outcome, goals: Goals) -> None:
        """Write down a trial that is over, unless it is there."""
        if outcome.number < self.told:
            return
        with without_remarks():
            self._study.add_trial(self._named.trial(outcome, goals))
        self.told += 1

    def _opened(self):  # type: ignore[no-untyped-def]
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        path = str(self._path)
        storage = JournalStorage(JournalFileBackend(path, lock_obj=JournalFileOpenLock(path)))
        study = optuna.create_study(
            storage=storage, study_name=self._name, directions=self._named.directions, load_if_exists=True
        )
        if study.metric_names is None:
            study.set_metric_names(list(self._objectives))
        return study


def heal(path: Path) -> None:
    """Cut off a last line without its end, which a killed process left: appended to, it would spoil the file. Its lock
    is removed, too: this process alone writes here."""
    Path(f"{path}.lock").unlink(missing_ok=True)
    if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)
