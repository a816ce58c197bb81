"""Which columns of a table may be values of its samples, by all the files that it lies in."""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from ae_pipelines.base.errors import InputError, NothingThere, first_of, suggestion
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.cells import BUT_FOR, numbers_but_for
from ae_pipelines.samples.tables.column_roles import NumberFacts, not_values, values_among
from ae_pipelines.samples.tables.files import readers_of
from ae_pipelines.samples.tables.looking import FREE_TEXT
from ae_pipelines.samples.tables.reader import Reader, table_faults
from ae_pipelines.samples.tables.treatments import NUMERIC, ColumnType

log = logging.getLogger(__name__)

USABLE = get_args(ColumnType)
READ_AS: dict[ColumnType, set[str]] = {
    "number": {"number", "boolean", "empty"},
    "boolean": {"number", "boolean", "empty"},
    "date": {"date", "empty"},
    "category": {"number", "boolean", "date", "text", "empty"},
}
"""What a column may be in a file, by what it was in the training."""
KEEP = ". A lower source.min_frequency keeps rarer levels; source.id=<column> takes one as the ids of rows"
MOST_COLUMNS = 50_000
"""A file with more is refused unless some are named."""


def filled_readers(
    path: Path,
    wanted: Sequence[str] | None,
    *,
    header: bool | None,
    missing: Sequence[str],
    written: Mapping[str, str] | None = None,
) -> list[Reader]:
    """Readers of the files that have rows; a file is refused that has too many columns, unless some are wanted."""
    found = readers_of(path, header=header, missing=missing, written=written)
    for reader in found:
        _refuse_width(reader, wanted)
    empty = [reader for reader in found if _is_empty(reader)]
    if len(empty) == len(found):
        raise NothingThere(f"{path} has no rows")
    if empty:
        log.warning("skipped, since they have no rows: %s", _first([reader.path.name for reader in empty]))
    return [reader for reader in found if reader not in empty]


@dataclass(frozen=True)
class Candidates:
    """The columns of a table, and which of them may be values."""

    path: Path
    readers: Sequence[Reader]
    wanted: list[str] | None
    """Columns that were asked for; None: all that can be used."""
    others: list[str]
    """Columns with another use."""

    @cached_property
    def types(self) -> dict[str, ColumnType]:
        """The columns that may be values, with what they are in all files."""
        for reader in self.readers:
            with table_faults(reader.path):
                _refuse_misfit(reader, self.wanted or [], self.others)
        if self.wanted:
            self._refuse_unusable()
        told = {n: why for n, why in self.set_aside.items() if n in self._partial or self.held[n] not in USABLE}
        self.tell(told)
        self._tell_differing()
        return {
            name: self.held[name]  # type: ignore[misc]
            for name in self.wanted or self.names
            if name not in self.set_aside
        }

    @cached_property
    def set_aside(self) -> dict[str, str]:
        """Why columns that nobody asked for are no values, by their types and names."""
        if self.wanted:
            return {}
        types = {name: self.held[name] for name in self.names}
        unusable = {name: _types_of(name, self.readers) for name, kind in types.items() if kind not in USABLE}
        numbers, files = [name for name in types if types[name] == "number"], list(self._facts())
        values = {*values_among(numbers, files)}
        known = {name: [facts[name] for facts in files if name in facts] for name in numbers if name not in values}
        return unusable | not_values(known) | self._partial

    @cached_property
    def _partial(self) -> dict[str, str]:
        """Columns that some files lack, and how many have them."""
        counts = Counter(name for reader in self.readers for name in reader.names if name not in self.others)
        files = len(self.readers)
        return {n: f"only {count} of {files} files have it" for n, count in counts.items() if count < files}

    def _tell_differing(self) -> None:
        """Warn of columns whose cells are compared as text, since the files hold them in different types."""
        for name in self.wanted or self.names:
            files: dict[str, list[str]] = {}
            for reader in self.readers:
                if (found := reader.types[name]) != "empty":
                    files.setdefault(found, []).append(reader.path.name)
            if self.held[name] == "category" and len(files) > 1:
                said = "; ".join(f"{found} in {first_of(of, 3)}" for found, of in files.items())
                log.warning("the cells of column %r are compared as text, since files differ: %s", name, said)

    @property
    def names(self) -> list[str]:
        """Columns that all files have and that have no other use."""
        first, *more = self.readers
        return [n for n in first.names if n not in self.others and all(n in reader.names for reader in more)]

    @cached_property
    def held(self) -> dict[str, str]:
        """What each column is in all files: text, where they differ."""
        types = [reader.types for reader in self.readers]
        return {name: _joined({found[name] for found in types if name in found}) for name in self.readers[0].names}

    def formats(self, names: Collection[str]) -> dict[str, str]:
        """How those of these columns are written that someone might misread."""
        found = {name: written for reader in self.readers for name, written in reader.formats.items() if written}
        return {name: found[name] for name in names if name in found}

    def explained(self, useless: Mapping[str, str]) -> dict[str, str]:
        """Reasons why columns cannot be used, with those of text that would be numbers but for a few cells."""
        return {name: self._but_for.get(name, why) if why == FREE_TEXT else why for name, why in useless.items()}

    def tell_but_for(self, types: Mapping[str, ColumnType]) -> None:
        """Warn of categories that would be numbers but for a few cells."""
        for name, what in self._but_for.items():
            if types.get(name) == "category":
                log.warning("column %r is a category, since it has %s", name, what)

    @cached_property
    def _but_for(self) -> dict[str, str]:
        return {name: numbers_but_for(texts) for reader in self.readers for name, texts in reader.but_for.items()}

    def check(self, types: Mapping[str, ColumnType], left_out: Collection[str]) -> None:
        """Say which columns are not used; `InputError` where one that was learned of holds something else than then.

        `types` are those in the training, which left out others.
        """
        for reader in self.readers:
            with table_faults(reader.path):
                _refuse_misfit(reader, list(types), self.others)
                _refuse_other_types(reader, types)
        if more := [name for name in self.names if name not in types and name not in left_out]:
            log.info("columns that the training did not have are not used: %s", _first(more))

    def tell(self, useless: Mapping[str, str]) -> None:
        """Say which columns are left out; `InputError` for text that was asked for and cannot be used."""
        for name, why in useless.items():
            if self.wanted and why.startswith(BUT_FOR):
                raise InputError(f"{self.path}: {name!r} cannot be values: {why}", options={"source.missing": "[...]"})
        asked_for = [name for name in useless if self.wanted and useless[name].startswith(FREE_TEXT)]
        if asked_for:
            raise InputError(
                f"{self.path}: {_first(asked_for)} cannot be values: {FREE_TEXT}. Leave them out, make "
                "categories or numbers of them, or take one as the ids of the rows",
                options={"source.min_frequency": "2", "source.id": "..."},
            )
        if useless:
            said = "; ".join(
                f"{_first([name for name in useless if useless[name] == why])} ({why})"
                for why in dict.fromkeys(useless.values())
            )
            log.warning("left out of the values: %s", said + (KEEP if FREE_TEXT in useless.values() else ""))

    def nothing_usable(self) -> InputError:
        """The error of a table without a column that can be used."""
        return InputError(
            f"{self.path} has no column of values, only {_first(self.readers[0].names)}: give one with columns of "
            "numbers, categories or dates, or name those that are values all the same",
            options={"source.columns": "[...]"},
        )

    def _facts(self) -> Iterator[Mapping[str, NumberFacts]]:
        for reader in self.readers:
            with table_faults(reader.path):
                yield reader.facts

    def _refuse_unusable(self) -> None:
        if other := [name for name in self.wanted or [] if self.held[name] not in USABLE]:
            usable = [name for name in self.names if self.held[name] in USABLE]
            raise InputError(
                f"{self.path}: {_first(other)} can be no values, since there are neither numbers, text nor dates in "
                f"them; usable are {_first(usable)}"
            )


def _is_empty(reader: Reader) -> bool:
    with table_faults(reader.path):
        if _repeated(reader.names):
            return False  # it cannot be read, which `_refuse_misfit` reports
        return not reader.rows


def _refuse_width(reader: Reader, columns: Sequence[str] | None) -> None:
    """Before anything is read of a file that would take minutes to look at."""
    with table_faults(reader.path):
        count = len(reader.names)
    if columns is None and count > MOST_COLUMNS:
        raise InputError(
            f"{reader.path} has {count:,} columns, and a table may have up to {MOST_COLUMNS:,}: save the numbers as an "
            "array (numpy.save) for source=array, or name some columns",
            options={"source.columns": "[...]"},
        )


def _refuse_misfit(reader: Reader, wanted: list[str], others: list[str]) -> None:
    """`InputError` unless the file has the columns asked for, once each."""
    if repeated := _repeated(reader.names):
        raise InputError(f"{reader.path} has more than one column called {_first(repeated)}: rename them")
    if repeated := _repeated(wanted + others):
        raise InputError(f"columns, label, id and split name {_first(repeated)} more than once: use each column once")
    for name in wanted + others:
        if name not in reader.names:
            raise InputError(f"{reader.path} has no column {name!r}; {_known(name, reader.names)}")


def _refuse_other_types(reader: Reader, types: Mapping[str, ColumnType]) -> None:
    """`InputError` where a column holds something else than in the training."""
    held = reader.types
    for name, kind in types.items():
        if (found := held[name]) not in READ_AS[kind]:
            raise InputError(
                f"{reader.path}: column {name!r} holds {found}, expected what it held in the training: "
                f"{features.EXPECTED[kind]}. Mend it, or say what stands for missing values",
                options={"source.missing": "[...]"},
            )


def _joined(types: set[str]) -> str:
    """What a column is that is each of these in some file."""
    found = types - {"empty"}
    if not found or "unusable" in found:
        return "unusable" if found else "empty"
    if found == NUMERIC:
        return "number"
    return next(iter(found)) if len(found) == 1 and found != {"text"} else "category"


def _types_of(name: str, readers: Sequence[Reader]) -> str:
    """The types of a column that holds neither numbers, dates nor text."""
    return " or ".join(dict.fromkeys(reader.unusable.get(name, "empty") for reader in readers))


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def _known(name: str, names: Sequence[str]) -> str:
    return suggestion(name, list(names)) if len(names) <= 10 else f"it has {_first(names)}"


def _first(names: Sequence[str]) -> str:
    return first_of([repr(name) for name in names]) or "none"
