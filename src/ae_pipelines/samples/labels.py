"""What a label is: the name of a class, the same from every source, or none."""

import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from pydantic import BeforeValidator

from ae_pipelines.base.errors import InputError, first_of

log = logging.getLogger(__name__)

WHOLE = re.compile(r"-?(0|[1-9]\d*)\.0+|-?\d(\.\d+)?e\+\d{2}")
"""A number that Python wrote as a float, and that may be whole."""
MIDNIGHT = re.compile(r"(\d{4}-\d{2}-\d{2})[ T]00:00:00(\.0+)?")
"""A date that was written as a moment."""
TRUTH = {"True": "true", "False": "false"}


def label_name(value: Any) -> str | None:
    """The class that a value of any source names; None for null, NaN, NaT and blank text.

    Text is stripped. 1, 1.0 and "1.0" are "1", "007" stays as it is; truth values are "true" and "false", dates have no
    time of day, whether they are values or text as Python writes them.
    `InputError` for what is no label: lists, structs, broken text.
    """
    if isinstance(value, str):
        return _name_of_text(value)
    if isinstance(value, bytes):
        try:
            return _name_of_text(value.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"the label {value!r} is not UTF-8: save labels as text") from error
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, Sequence | Mapping | np.ndarray | set):
        raise InputError(f"a label is {value!r:.80}, a {type(value).__name__}: give one name or number for each sample")
    if value is None or str(value) in ("<NA>", "NaT", "nan", "NaN"):
        return None
    return _name_of_text(str(value))


def _name_of_text(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the label {text!r} is not valid text: save the labels again, as UTF-8") from error
    name = text.strip()
    if WHOLE.fullmatch(name) and (number := Decimal(name)) == int(number):
        return str(int(number))
    if date := MIDNIGHT.fullmatch(name):
        return date[1]
    return TRUTH.get(name, name) or None


def _names(given: Any) -> Any:
    """Options as they are typed: one value, or several."""
    if given is None:
        return None
    several = given if isinstance(given, list | tuple | set) else [given]
    return tuple(name for name in map(label_name, several) if name is not None)


ClassName = Annotated[str, BeforeValidator(label_name)]
"""A class as an option: named as labels are."""
Unlabelled = Annotated[tuple[str, ...] | None, BeforeValidator(_names)]
"""Labels that mean that there is none, beside null and blank; None: such ones are asked about, and () means that all
labels are classes."""


@runtime_checkable
class PartlyLabelled(Protocol):
    """A source that is told which of its labels mean none."""

    @property
    def unlabelled(self) -> tuple[str, ...] | None: ...


class LabelReader:
    """Turns the labels of a source, as it holds them, into names of classes."""

    def __init__(self, unlabelled: Iterable[str] = ()) -> None:
        self._unlabelled = {unicodedata.normalize("NFC", name): 0 for name in unlabelled}
        self._known: dict[str, str | None] = {}
        self._stripped: dict[str, int] = {}

    def names(self, values: Iterable[Any]) -> list[str | None]:
        """The class of each; None: unlabelled."""
        return [self._text(value) if type(value) is str else self._named(label_name(value)) for value in values]

    def tell(self) -> None:
        """Log what was done to labels, and which names of `unlabelled` did not occur."""
        if self._stripped:
            examples = first_of([repr(text) for text in self._stripped], 5)
            log.warning("stripped the blanks around %d labels, such as %s", sum(self._stripped.values()), examples)
        if unused := [name for name, count in self._unlabelled.items() if not count]:
            log.warning("no sample has the label %s that source.unlabelled names", first_of([*map(repr, unused)]))
        if counts := {name: count for name, count in self._unlabelled.items() if count}:
            found = ", ".join(f"{count} {name!r}" for name, count in counts.items())
            log.info("unlabelled, as source.unlabelled says: %s", found)

    def _text(self, text: str) -> str | None:
        if text not in self._known:
            self._known[text] = _name_of_text(text)
            if (name := text.strip()) and name != text:
                self._stripped[text] = 0
        if text in self._stripped:
            self._stripped[text] += 1
        return self._named(self._known[text])

    def _named(self, name: str | None) -> str | None:
        if name and self._unlabelled and (composed := unicodedata.normalize("NFC", name)) in self._unlabelled:
            self._unlabelled[composed] += 1
            return None
        return name
