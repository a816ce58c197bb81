"""What the cells of a column of text are: numbers as people write them, booleans, dates, or text."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

CellType = Literal["number", "boolean", "date", "text", "empty", "unusable"]
BLANK_OR_MISSING = pa.array([text for text in pa.csv.ConvertOptions().null_values if text.strip("-").lower() != "nan"])
"""Texts that mean missing. Text that is a NaN is a number, as it is in parquet."""
NAN = pa.array([text for text in pa.csv.ConvertOptions().null_values if text.strip("-").lower() == "nan"])
TRUE, FALSE = pa.array(["true", "True", "TRUE"]), pa.array(["false", "False", "FALSE"])
BUT_FOR = "numbers but for"
MOST_STRAYS = 3
"""Different texts among numbers that may be a way to write that a value is missing."""

_NOTHING = pa.scalar(None, pa.string())
_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?$"
_POINTED_THOUSANDS = r"^[+-]?[1-9]\d{0,2}(\.\d{3})+(,\d+)?$"
_DECIMAL_COMMA = r"^[+-]?(\d+|\d*,\d+)(?i:e[+-]?\d+)?$"
_PLAIN = r"^[+-]?(\d+\.?\d*|\.\d+)(?i:e[+-]?\d+)?$"


@dataclass(frozen=True, eq=False)
class Format:
    """One way to write values."""

    type: CellType
    read: Callable[[pa.Array], pa.Array]
    """Trimmed text to float64 or timestamps; `pa.ArrowInvalid` if any is written otherwise."""
    told: str = ""
    """What is said of a column that is written so; nothing of those that everyone writes so."""
    name: str = ""
    """What it is called in a contract, where something is said of it."""


class Missing:
    """More values that mean that there is none."""

    def __init__(self, values: Sequence[str | float] = ()) -> None:
        self._texts = pa.array([str(value).strip() for value in values], pa.string())
        self._numbers = pa.array([found for value in values if (found := _number(value)) is not None], pa.float64())

    def __bool__(self) -> bool:
        return len(self._texts) > 0

    def out_of(self, column: pa.Array) -> pa.Array:
        """A column, null where text or a number is one of these values."""
        if not self or not (pa.types.is_floating(column.type) or pa.types.is_string(column.type)):
            return column
        values = self._numbers if pa.types.is_floating(column.type) else self._texts
        return pc.if_else(pc.is_in(column, values), pa.scalar(None, column.type), column)


def trimmed(column: pa.Array, missing: Missing) -> pa.Array:
    """Text without blanks around it; null where it means missing."""
    text = pc.utf8_trim_whitespace(column)
    return missing.out_of(pc.if_else(pc.is_in(text, BLANK_OR_MISSING), _NOTHING, text))


def texts(column: pa.Array, missing: Missing) -> pa.Array:
    """Trimmed text, where a NaN is missing too."""
    text = trimmed(column, missing)
    return pc.if_else(pc.is_in(text, NAN), _NOTHING, text)


def _number(value: str | float) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _boolean(text: pa.Array) -> pa.Array:
    if not pc.all(pc.or_(pc.is_in(text, TRUE), pc.or_(pc.is_in(text, FALSE), pc.is_null(text)))).as_py():
        raise pa.ArrowInvalid("neither true nor false")
    return _plain(text)


def _plain(text: pa.Array) -> pa.Array:
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        text = pc.if_else(pc.is_in(text, TRUE), "1", pc.if_else(pc.is_in(text, FALSE), "0", text))
        return text.cast(pa.float64())


def _matching(text: pa.Array, *patterns: str) -> None:
    found = pc.match_substring_regex(text, "|".join(f"(?:{pattern})" for pattern in patterns))
    if not pc.all(found, min_count=0).as_py():
        raise pa.ArrowInvalid("written otherwise")


def _decimal_comma(text: pa.Array) -> pa.Array:
    _matching(text, _DECIMAL_COMMA, _POINTED_THOUSANDS)
    pointed = pc.match_substring_regex(text, _POINTED_THOUSANDS)
    text = pc.if_else(pointed, pc.replace_substring(text, ".", ""), text)
    return pc.replace_substring(text, ",", ".").cast(pa.float64())


def _thousands(text: pa.Array) -> pa.Array:
    _matching(text, _THOUSANDS, _PLAIN)
    return pc.replace_substring(text, ",", "").cast(pa.float64())


def _percent(number: Callable[[pa.Array], pa.Array]) -> Callable[[pa.Array], pa.Array]:
    def read(text: pa.Array) -> pa.Array:
        _matching(text, r"%$")
        return pc.divide(number(pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(text, 0, -1))), 100.0)

    return read


def _iso(text: pa.Array) -> pa.Array:
    _matching(text, r"^\d{4}-\d\d-\d\d")
    try:
        return text.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return text.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def _date(pattern: str) -> Callable[[pa.Array], pa.Array]:
    def read(text: pa.Array) -> pa.Array:
        _matching(text, r"\d{4}")  # else two digits are taken for a year
        for format_ in (pattern, f"{pattern} %H:%M", f"{pattern} %H:%M:%S"):
            found = pc.strptime(text, format=format_, unit="us", error_is_null=True)
            if found.null_count == text.null_count:
                return found
        raise pa.ArrowInvalid(f"not written as {pattern}")

    return read


BOOLEAN, PLAIN = Format("boolean", _boolean), Format("number", _plain)
COMMA = Format("number", _decimal_comma, "decimal commas (1,5 is one and a half)", "decimal_comma")
THOUSANDS = Format("number", _thousands, "commas between thousands (1,234 is over a thousand)", "thousands")
PERCENT = Format("number", _percent(_plain), "per cent (5% is 0.05)", "percent")
COMMA_PERCENT = Format(
    "number", _percent(_decimal_comma), "per cent with decimal commas (0,5% is 0.005)", "decimal_comma_percent"
)
DAY_FIRST = Format("date", _date("%d/%m/%Y"), "dates with the day first", "day_first")
MONTH_FIRST = Format("date", _date("%m/%d/%Y"), "dates with the month first", "month_first")
POINTED = Format("date", _date("%d.%m.%Y"), "dates with the day first", "day_first_with_points")
YEAR_FIRST = (Format("date", _iso), Format("date", _date("%Y/%m/%d")))
"""Dates that no one can take for others."""
DATES = (*YEAR_FIRST, POINTED)
TOLD = {
    format_.name: format_ for format_ in (COMMA, THOUSANDS, PERCENT, COMMA_PERCENT, DAY_FIRST, MONTH_FIRST, POINTED)
}
"""The formats of which something is said, by name."""
AMBIGUOUS = "text, since whether day or month comes first cannot be told (write dates as 2024-12-31)"


def formats(delimiter: str) -> list[Format]:
    """The formats that are tried, the first that reads all cells is taken."""
    commas = [COMMA, THOUSANDS] if delimiter == ";" else [THOUSANDS, COMMA]
    return [BOOLEAN, PLAIN, *commas, PERCENT, COMMA_PERCENT, *DATES, DAY_FIRST, MONTH_FIRST]


def formats_as(name: str) -> list[Format]:
    """The formats of a column that was written as `name` before: that alone, and dates that are the same in any."""
    asked = TOLD[name]
    return [asked, *YEAR_FIRST] if asked.type == "date" else [asked]


@dataclass
class Column:
    """What is known of a column after some of its rows."""

    alive: list[Format]
    """Formats that read all cells so far; the first of them is taken."""
    missing: Missing = field(default_factory=Missing)
    filled: int = 0
    strays: Counter[str] | None = field(default_factory=Counter)
    """Texts among numbers, with their counts; None: there are too many."""
    otherwise: str | None = None
    """A cell of the rows after which no format was left."""

    def look(self, column: pa.Array) -> pa.Array | None:
        """Look at some more rows; their values if they are numbers so far."""
        text = trimmed(column, self.missing) if self.alive else texts(column, self.missing)
        self.filled += len(text) - text.null_count
        read = [(format_, found) for format_ in self.alive if (found := _read(format_, text)) is not None]
        if self.alive and not read:
            self.otherwise = _first_otherwise(self.alive[0], text)
        self.alive = [format_ for format_, _ in read]
        self._count_strays(text)
        if not read or read[0][0].type not in ("number", "boolean"):
            return None
        return self.missing.out_of(read[0][1])

    def saw_plain_numbers(self, filled: int, points: bool) -> None:
        """Know that some more rows are plain numbers, how many are there, and whether any has a decimal point."""
        if filled:
            self.filled += filled
            kept = (PLAIN, THOUSANDS) if points else (PLAIN, THOUSANDS, COMMA)
            self.alive = [format_ for format_ in self.alive if format_ in kept]

    def values(self, column: pa.Array) -> pa.Array:
        """Rows as float64 or timestamps, as they are written in this column; `pa.ArrowInvalid` if one is not."""
        return self.missing.out_of((self.format or PLAIN).read(trimmed(column, self.missing)))

    @property
    def format(self) -> Format | None:
        """How the cells are written; None: text."""
        if DAY_FIRST in self.alive and MONTH_FIRST in self.alive:
            return None
        return self.alive[0] if self.alive else None

    @property
    def type(self) -> CellType:
        if not self.filled:
            return "empty"
        return self.format.type if self.format else "text"

    @property
    def told(self) -> str:
        """What should be said of how it is written."""
        if not self.filled:
            return ""
        if DAY_FIRST in self.alive and MONTH_FIRST in self.alive:
            return AMBIGUOUS
        return self.format.told if self.format else ""

    @property
    def but_for(self) -> dict[str, int]:
        """The few texts, with their counts, without which it would be numbers; empty if it is not so."""
        few = self.strays if self.type == "text" and not self.told else None
        return dict(few.most_common()) if few and sum(few.values()) < self.filled / 2 else {}

    def _count_strays(self, text: pa.Array) -> None:
        """Count what is no number, until there is too much of it."""
        if self.strays is None or PLAIN in self.alive:
            return
        other = text.filter(pc.invert(pc.match_substring_regex(text, _PLAIN)))
        for found in pc.value_counts(other).to_pylist():
            self.strays[found["values"]] += found["counts"]
        if len(self.strays) > MOST_STRAYS:
            self.strays = None


def numbers_but_for(texts: Mapping[str, int]) -> str:
    """What is said of a column of numbers among which there are these texts, with their counts."""
    found = " or ".join(f"{text!r:.80} ({count} cells)" for text, count in texts.items())
    named = ", ".join(f"'{text:.80}'" for text in texts)
    return f"{BUT_FOR} {found}; source.missing=[{named}] says that these are missing values"


def plain_numbers(columns: Sequence[pa.Array], missing: Missing) -> tuple[pa.Array, pa.Array] | None:
    """The text and the numbers of columns, one after the other, if all their cells are plain numbers or missing."""
    text = pa.concat_arrays(columns)
    if not missing and (found := _cast(text)) is not None:
        return text, found
    text = trimmed(text, missing)
    found = _cast(text)
    return None if found is None else (text, missing.out_of(found))


def look_at_plain_numbers(columns: Sequence[Column], cells: Sequence[pa.Array], missing: Missing) -> np.ndarray | None:
    """Look at some more rows of columns, (rows, columns), if all their cells are plain numbers or missing."""
    if (read := plain_numbers(cells, missing)) is None:
        return None
    text, numbers = read
    shape = (len(columns), len(cells[0]))
    filled = text.is_valid().to_numpy(zero_copy_only=False).reshape(shape).sum(axis=1)
    points = (
        pc.fill_null(pc.match_substring(text, "."), False).to_numpy(zero_copy_only=False).reshape(shape).any(axis=1)
    )
    for column, count, point in zip(columns, filled.tolist(), points.tolist(), strict=True):
        column.saw_plain_numbers(count, point)
    return numbers.to_numpy(zero_copy_only=False).reshape(shape).T


def _cast(text: pa.Array) -> pa.Array | None:
    """Float64, if all are plain numbers."""
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def _first_otherwise(format_: Format, text: pa.Array) -> str | None:
    """The first cell that is not written so."""
    return next((str(cell) for cell in text if cell.is_valid and _read(format_, pa.array([cell])) is None), None)


def _read(format_: Format, text: pa.Array) -> pa.Array | None:
    """The values, or None if they are written otherwise."""
    try:
        return format_.read(text)
    except pa.ArrowInvalid:
        return None
