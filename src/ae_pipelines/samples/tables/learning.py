"""What becomes of the columns of a table, learned in passes over its rows."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.standardise import fit
from ae_pipelines.samples.tables.candidates import Candidates
from ae_pipelines.samples.tables.features import Columns
from ae_pipelines.samples.tables.looking import Look, TrainRows
from ae_pipelines.samples.tables.rows import ReadRows
from ae_pipelines.samples.tables.treated import Mixed, Numbers, Treated, infinite, without
from ae_pipelines.samples.tables.treatments import FORMATS, NUMERIC, ColumnType, Treating, described, in_lines, learn

log = logging.getLogger(__name__)


class SomethingMissing(Exception):  # noqa: N818
    """A cell has nothing in it."""


@dataclass(frozen=True)
class Learning:
    """How it is learned what becomes of columns, and from what."""

    candidates: Candidates
    rows: ReadRows
    treating: Treating
    plain: bool
    """Whether columns that are all numbers, with nothing missing, become `Numbers`."""
    missing: Sequence[str] = ()
    """What stands for a missing value, to be noted beside what is learned."""

    def treated(self) -> Treated:
        """As it is learned from the rows."""
        types = self.candidates.types
        if not types:
            raise self.candidates.nothing_usable()
        found = self._numbers(types) if self._may_be_plain(types.values()) else None
        return found or self._mixed(types)

    def _may_be_plain(self, types: Iterable[ColumnType]) -> bool:
        return {*types} <= NUMERIC and self.plain

    def _numbers(self, types: Mapping[str, ColumnType]) -> Numbers | None:
        """Columns of numbers, as they are learned from in one pass; None if something is missing in one."""
        names = list(types)
        try:
            if self.treating.scaling == "standardise":
                return Numbers(names, fit(self._complete(types), names), self.candidates.formats(names))
            for _ in self._complete(types):
                pass
        except SomethingMissing:
            return None
        return Numbers(names, None, self.candidates.formats(names))

    def _complete(self, types: Mapping[str, ColumnType]) -> Iterator[tuple[np.ndarray, list[str]]]:
        """Values and splits of the rows without Inf; `SomethingMissing` if there is a NaN."""
        for rows in self.rows(types):
            values = np.stack(list(rows.columns.values()), axis=1)
            if np.isnan(values).any():
                raise SomethingMissing
            sound = np.isfinite(values).all(axis=1)
            yield values[sound], list(compress(rows.splits, sound))

    def _mixed(self, types: Mapping[str, ColumnType]) -> Treated:
        """Columns of which some are no numbers, or have missing cells."""
        look = Look(types)
        for rows in self.rows(types):
            look.add(rows.columns)
        useless = self.candidates.explained(look.useless(self.treating))
        used = {name: kind for name, kind in types.items() if name not in useless}
        numbers = {name: kind for name, kind in types.items() if kind in NUMERIC and useless.get(name) != "empty"}
        if numbers and self._may_be_plain(used.values()) and not any(look.missing[name] for name in numbers):
            self.candidates.tell({name: why for name, why in useless.items() if name not in numbers})
            if (found := self._numbers(numbers)) is not None:
                return found
        self.candidates.tell(useless)
        self.candidates.tell_but_for(used)
        for name, levels in look.merged(self.treating).items():
            if name in used:
                log.warning(
                    "column %r has %d frequent levels, of which the commonest %d are told apart and the others merged: "
                    "source.max_categories=%d keeps them",
                    *(name, levels, self.treating.max_categories - 1, levels + 1),
                )
        if not used:
            raise self.candidates.nothing_usable()
        learned = learn(self._train_rows(used), used, self.treating)
        learned["left_out"] = self.candidates.set_aside | useless
        if formats := self.candidates.formats([name for name in used if used[name] != "category"]):
            learned[FORMATS] = formats
        if self.missing:
            learned["missing"] = [str(text) for text in self.missing]
        return self._reported(Mixed(learned))

    def _train_rows(self, used: Mapping[str, ColumnType]) -> Columns:
        train = TrainRows(len(used))
        for rows in self.rows(used):
            sound = without(infinite(rows.columns))
            train.add(rows.columns, rows.sha256, sound & (np.asarray(rows.splits) == "train"))
        if not train.seen:
            raise InputError("no usable row is in the train split, so there is nothing to learn from: give more rows")
        if train.seen > train.most:
            log.info("what becomes of columns is learned from %d of the %d train rows", train.most, train.seen)
        return train.columns()

    def _reported(self, mixed: Mixed) -> Mixed:
        table = described(mixed.preprocessing)
        log.info("what becomes of each column:\n%s", "\n".join(in_lines(table)))
        return mixed
