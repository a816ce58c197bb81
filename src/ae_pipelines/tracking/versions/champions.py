"""Which versions have been champion: the alias, and beside it a record of the ones before."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ae_pipelines.base.errors import InputError

RECORD = "ae.champions"
"""Begin of the name of the registered model's tag: what an alias pointed to, oldest first, as [version, since]."""
ROLLED_BACK = "ae.rolled_back"
"""Tag of a version that was taken from its place: `register` does not put it there again."""
MOST = 100
"""So many are remembered: MLflow takes 5,000 letters."""
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's error codes for a version or an alias that does not exist."""


@dataclass(frozen=True)
class Champions:
    """Those of one registered model under one alias."""

    client: Any
    name: str
    alias: str

    @property
    def current(self) -> int | None:
        """The version that the alias points to; None if there is none."""
        from mlflow.exceptions import MlflowException

        try:
            return int(self.client.get_model_version_by_alias(self.name, self.alias).version)
        except MlflowException as error:
            if error.error_code not in ABSENT:
                raise  # that a registry cannot be reached does not mean that it has no champion
            return None

    @property
    def record(self) -> list[tuple[int, str]]:
        """Version and since when, oldest first; the last is the champion, also where its alias was moved by hand."""
        text = self.client.get_registered_model(self.name).tags.get(self._tag, "[]")
        try:
            found = [(int(version), str(since)) for version, since in json.loads(text)]
        except (ValueError, TypeError) as error:
            raise InputError(
                f"the tag {self._tag} of {self.name} is damaged ({error}): delete it, and move the alias by `promote`"
            ) from error
        if (current := self.current) is not None and (not found or found[-1][0] != current):
            found.append((current, "?"))
        return found

    def since(self) -> dict[int, str]:
        """When each became champion, the last time."""
        return dict(self.record)

    def promote(self, version: int) -> None:
        """Move the alias to a version, which may have been rolled back before.

        The alias moves before the record does, and when one rolls back the other way round: after a kill in between,
        the alias is the last on record."""
        record = self.record
        self._move_alias(version)
        self._write([*record, (version, _now())])
        if ROLLED_BACK in self.client.get_model_version(self.name, str(version)).tags:
            self.client.delete_model_version_tag(self.name, str(version), ROLLED_BACK)

    def before(self, to: int | None = None) -> int:
        """The champion before the present one, or an earlier one; `InputError` if none is on record, or if `to` is not.
        Versions that were deleted are passed over."""
        return self._kept(to)[-1][0]

    def roll_back(self, to: int | None = None) -> int:
        """Move the alias to the champion `before`; those that came after it are marked as rolled back."""
        kept = self._kept(to)
        taken = {version for version, _ in self.record[len(kept) :]} - {kept[-1][0]}
        for version in taken & self._there():
            self.client.set_model_version_tag(self.name, str(version), ROLLED_BACK, _now())
        version = kept[-1][0]
        self._write([*kept[:-1], (version, _now())])
        self._move_alias(version)
        return version

    def _kept(self, to: int | None) -> list[tuple[int, str]]:
        """What is left of the record when it is rolled back."""
        record, there = self.record, self._there()
        now = record[-1][0] if record else None
        earlier = [place for place, (version, _) in enumerate(record) if version in there and version != now]
        places = [place for place in earlier if to in (None, record[place][0])]
        if not places:
            asked = "no other version was" if to is None else f"version {to} was never"
            known = ", ".join(dict.fromkeys(str(record[place][0]) for place in earlier)) or "none"
            raise InputError(
                f"{self.name}: as far as is on record, {asked} {self.alias} before the present one (known: {known}): "
                "`promote <version>` moves the alias to any version"
            )
        return record[: places[-1] + 1]

    def _there(self) -> set[int]:
        return {int(found.version) for found in self.client.search_model_versions(f"name = '{self.name}'")}

    def _move_alias(self, version: int) -> None:
        self.client.set_registered_model_alias(self.name, self.alias, str(version))

    def _write(self, record: list[tuple[int, str]]) -> None:
        self.client.set_registered_model_tag(self.name, self._tag, json.dumps(record[-MOST:]))

    @property
    def _tag(self) -> str:
        return f"{RECORD}.{self.alias}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
