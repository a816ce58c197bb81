"""How a CSV file is written: its encoding, delimiter, leading lines and header, found by looking."""

import codecs
import csv
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise, zip_longest
from pathlib import Path

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.samples.reading import faults_of

log = logging.getLogger(__name__)

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
"""Those that are looked for, the first if several fit."""
SAMPLE_ROWS = 100
SAMPLE_CHARACTERS = 2**16
"""What is looked at, or two rows if they are longer."""
LONGEST_SAMPLE = 2**25
CHUNK = 2**20
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Byte-order marks, and the encoding each says."""
FAULTS = (OSError, ValueError, csv.Error)

_SEPARATOR_LINE = re.compile(r"""["']?sep=(.)["']?\s*""", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?|[+-]?(nan|inf)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}[-/]\d\d?[-/]\d\d?\b.*|\d\d?[./]\d\d?[./]\d{4}\b.*")


@dataclass(frozen=True)
class Dialect:
    """How to read one CSV file."""

    encoding: str
    delimiter: str
    skipped: int
    """Lines before the header, or before the first row if there is none."""
    header: bool
    """Whether a line of names follows the skipped ones."""
    names: list[str]
    """Names of the columns, without blanks around them; `column_0` ... without a header."""
    longest_line: int
    """Bytes of the longest of the first lines."""
    has_rows: bool
    seen: tuple[str, ...] = ()
    """What is not as in a plain CSV file, in words."""

    @classmethod
    def of(cls, path: Path, header: bool | None = None) -> "Dialect":
        """As the file is written; `header` says whether it has one, None: by looking.

        `InputError` if it cannot be decoded, is empty, or if its first line looks like data.
        """
        with faults_of(path, "fix it, or save it again as UTF-8 or parquet", FAULTS, "a table"):
            encoding = _encoding(path)
            text, whole = _sample(path, encoding)
            return _looked_at(path, encoding, text, whole, header)

    def tell(self, path: Path) -> None:
        """Log what is not as in a plain CSV file, in one line."""
        if self.seen:
            log.info("%s: %s", path.name, "; ".join(self.seen))


def _looked_at(path: Path, encoding: str, text: str, whole: bool, header: bool | None) -> Dialect:
    lines = list(StringIO(text, newline=""))
    longest = max((len(line.encode(errors="replace")) for line in lines), default=0)
    skipped, delimiter, comments = _leading(lines)
    table = "".join(lines[skipped:])
    delimiter = delimiter or _delimiter(table, whole)
    rows = list(_rows(table, delimiter, whole))
    filled = sum(1 for line in lines[skipped:] if line.strip("\r\n"))
    seen = [_ENCODINGS[encoding]] if encoding in _ENCODINGS else []
    if delimiter != ",":
        seen.append(f"separated by {DELIMITERS.get(delimiter, repr(delimiter))}")
    if comments and header is None and (names := _commented_header(comments[-1], delimiter, rows)):
        seen.append("the names of its columns are in a comment line")
        return Dialect(encoding, delimiter, skipped, False, names, longest, True, tuple(seen))
    if comments:
        seen.append(f"comment lines are skipped: {first_of([line.strip() for line in comments], 2)}")
    if not rows:
        raise ValueError("Empty CSV file")
    if header is None and looks_like_data(rows[0], rows[1:]):
        raise InputError(
            f"the first line of {path} looks like data ({first_of(rows[0], 5)}), not like names of columns: "
            "give source.header=false to call them column_0, column_1 ..., or source.header=true if it is the names",
            options={"source.header": "false"},
        )
    if header is False:
        names = [f"column_{place}" for place in range(len(rows[0]))]
    else:
        names = [name.strip() for name in rows[0]]
    has_header = header is not False
    return Dialect(encoding, delimiter, skipped, has_header, names, longest, filled > has_header, tuple(seen))


_ENCODINGS = {
    "utf-16": "UTF-16",
    "cp1252": "not UTF-8, so read as Windows-1252 (Western European)",
}


def _encoding(path: Path) -> str:
    """By the byte-order mark, or else by the whole file: UTF-8 where it is, or else Windows-1252."""
    with path.open("rb") as file:
        start = file.read(4)
        for mark, encoding in MARKS.items():
            if start.startswith(mark):
                return encoding
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for chunk in iter(lambda: file.read(CHUNK), b""):
                if not chunk.isascii() or decoder.getstate()[0]:
                    decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _sample(path: Path, encoding: str) -> tuple[str, bool]:
    """The first lines, at least two unless they are huge, and whether that is all."""
    with path.open(encoding=encoding, newline="") as file:
        text = file.read(SAMPLE_CHARACTERS)
        while len(text) < LONGEST_SAMPLE and len(list(StringIO(text, newline=""))) < 4:
            more = file.read(max(SAMPLE_CHARACTERS, len(text)))
            if not more:
                return text, True
            text += more
        return text, not file.read(1)


def _leading(lines: Sequence[str]) -> tuple[int, str | None, list[str]]:
    """How many lines come before the table; the delimiter, if one of them says it; those that are comments."""
    skipped, delimiter, comments = 0, None, []
    for line in lines:
        if found := _SEPARATOR_LINE.fullmatch(line):
            delimiter = found[1]
        elif line.startswith("#"):
            comments.append(line)
        elif line.strip("\r\n"):
            break
        skipped += 1
    return skipped, delimiter, comments


def _rows(text: str, delimiter: str, whole: bool) -> Iterator[list[str]]:
    """The first rows of this text, without one that may be cut off."""
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    held: list[str] | None = None
    try:
        for number, row in enumerate(row for row in reader if row):
            if held is not None:
                yield held
            if number == SAMPLE_ROWS:
                return
            held = row
    except csv.Error:  # a cell that is larger than any should be: what follows is not looked at
        whole = True
    if whole and held is not None:
        yield held


def _delimiter(text: str, whole: bool) -> str:
    """The delimiter that gives all rows as many cells as the header, and most of them."""

    def fit(delimiter: str) -> tuple[bool, int]:
        rows = list(_rows(text, delimiter, whole))
        cells = len(rows[0]) if rows else 0
        return cells > 1 and all(len(row) == cells for row in rows), cells

    return max(DELIMITERS, key=fit)


def _commented_header(line: str, delimiter: str, rows: list[list[str]]) -> list[str] | None:
    """The names in a comment line, if there are as many as cells in the rows, which have no other names."""
    cells = [cell.strip() for cell in next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter))]
    names = [cells[0].lstrip("#").strip() or "#", *cells[1:]]
    if rows and 1 < len(names) == len(rows[0]) and looks_like_data(rows[0], rows[1:]):
        return None if looks_like_data(names, rows) else names
    return None


def looks_like_data(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line of a table is another row of it rather than names.

    It is if no cell is of another kind than those below it, and there are numbers that no one calls columns by, or
    dates, or all its texts occur again below.
    """
    below = [
        [cell.strip() for cell in column if cell is not None and cell.strip()]
        for column in list(zip_longest(*(row[: len(first)] for row in rows)))
    ]
    below += [[]] * (len(first) - len(below))
    pairs = [(cell.strip(), column) for cell, column in zip(first, below, strict=True) if cell.strip()]
    kinds = [(_kind([cell]), _kind(column)) for cell, column in pairs]
    if not pairs or any(above != beneath for above, beneath in kinds if beneath):
        return False
    if any(above == "date" for above, _ in kinds):
        return True
    numbers = [cell for (cell, _), (above, _) in zip(pairs, kinds, strict=True) if above == "number"]
    texts = [(cell, column) for (cell, column), (above, _) in zip(pairs, kinds, strict=True) if above == "text"]
    if texts and all(cell in column for cell, column in texts):
        return len(first) > 1
    if not numbers:
        return False
    fractions = any(not _INTEGER.fullmatch(cell) for _, column in pairs for cell in column)
    return not _are_names(numbers, len(first), fractions, bool(texts))


def _are_names(numbers: Sequence[str], columns: int, fractions: bool, among_texts: bool) -> bool:
    """Whether columns may be called by these numbers: counted from 0 or by years, as pandas writes them."""
    if not all(_INTEGER.fullmatch(cell) for cell in numbers):
        return False
    found = [int(cell) for cell in numbers]
    steps = {after - before for before, after in pairwise(found)}
    if any(step < 1 for step in steps):
        return False
    if all(1800 <= number <= 2200 for number in found):
        return True
    if len(found) == 1:
        return found == [0] and not among_texts
    return steps == {1} or (len(found) > 2 and fractions and found[-1] < 10 * columns)


def _kind(cells: Sequence[str]) -> str:
    """What all these cells are: number, date or text; nothing if there are none."""
    if not cells:
        return ""
    if all(_NUMBER.fullmatch(cell) for cell in cells):
        return "number"
    return "date" if all(_DATE.fullmatch(cell) for cell in cells) else "text"
