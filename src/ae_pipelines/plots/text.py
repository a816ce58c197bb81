"""Names as they are drawn, whatever letters are in them and however long they are."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans"
"""Comes with matplotlib, so it is always there."""
OTHER_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans CJK KR",
    "Noto Sans JP",
    "Noto Sans SC",
    "Source Han Sans",
    "Droid Sans Fallback",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "IPAGothic",
    "NanumGothic",
    "Noto Sans Devanagari",
    "Noto Sans Bengali",
    "Noto Sans Thai",
    "Noto Sans Tamil",
    "Noto Sans Symbols2",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Nirmala UI",
    "Segoe UI Symbol",
    "Arial Unicode MS",
    "Unifont",
)
"""Asked, in this order, for letters that `FONT` lacks, where they are installed."""
MARKS = {"\n": "↵", "\t": "⇥"}
"""What stands for letters that would break a line."""
BLANK = "␣"
"""A blank before or after a name: without it two names would look the same."""
LINE = 1.25
"""Height of a line, in font sizes."""
POINTS = 72
"""Points in an inch."""
DPI = 110
"""Pixels in an inch of all pictures."""
UNDER = 2.2
"""Inches, at most, that names under an axis are long."""
BESIDE = 2.6
"""Inches, at most, that names beside an axis are wide."""


@dataclass(frozen=True)
class Names:
    """Names along an axis, which neither overlap nor leave the room that is theirs."""

    texts: list[str]
    upright: bool
    """Turned by 90 degrees, since they are too wide."""
    inches: float
    """Room that they take beside the axis."""

    @property
    def rotation(self) -> int:
        return 90 if self.upright else 0


def fitted(text: str, inches: float, size: float, lines: int = 1) -> str:
    """The text in at most so many lines of this width at this font size, its middle left out where that is too little.

    Letters that no font has, and those that are no letters, are escaped; dollar signs begin no formula.
    """
    return _joined(_shortened(_units(text), inches, size, lines))


def under(names: Sequence[str], slot: float, size: float, most: float = UNDER) -> Names:
    """Names under (or above) an axis on which each has `slot` inches, upright where they need more."""
    room = 0.94 * slot
    broken = [_broken(_units(name), room, size) for name in names]
    if all(len(lines) <= 2 and not _cut(lines) and _widest(lines, size) <= room for lines in broken):
        return Names([_joined(lines) for lines in broken], False, max(map(len, broken), default=1) * height(size))
    lines = max(1, min(3, int(slot / height(size))))
    return Names(_distinct(names, most, size, lines), True, _room(names, most, size, lines))


def beside(names: Sequence[str], slot: float, size: float, most: float = BESIDE) -> Names:
    """Names beside an axis on which each has `slot` inches of height."""
    lines = max(1, min(4, int(slot / height(size))))
    return Names(_distinct(names, most, size, lines), False, _room(names, most, size, lines))


def height(size: float, lines: int = 1) -> float:
    """Inches that lines of this font size take."""
    return LINE * size * lines / POINTS


def width(text: str, size: float) -> float:
    """Inches that a text as it is drawn (by `fitted`) takes at this font size."""
    return max(_inches(line, size) for line in text.replace(r"\$", "$").split("\n"))


def families() -> list[str]:
    """The font families to draw with."""
    return [name for name, _ in _fonts()]


def _distinct(names: Sequence[str], inches: float, size: float, lines: int) -> list[str]:
    """The names as they fit; those that would look the same, for what was left out, begin with their number."""
    texts = [fitted(name, inches, size, lines) for name in names]
    alike = Counter(dict(zip(names, texts, strict=True)).values())  # of different names
    return [
        text if alike[text] == 1 else fitted(f"{number}: {name}", inches, size, lines)
        for number, (name, text) in enumerate(zip(names, texts, strict=True), start=1)
    ]


def _room(names: Sequence[str], inches: float, size: float, lines: int) -> float:
    return max((width(text, size) for text in _distinct(names, inches, size, lines)), default=0.0)


def _units(text: str) -> list[str]:
    """The letters, each as it is drawn."""
    inner = text.strip()
    before, after = len(text) - len(text.lstrip()), len(text) - len(text.rstrip())
    marks = [MARKS.get(letter, BLANK) for letter in text]
    if not inner:
        return marks
    return [*marks[:before], *map(_drawn, inner), *marks[len(text) - after :]]


@cache
def _drawn(letter: str) -> str:
    if letter in MARKS:
        return MARKS[letter]
    kind = unicodedata.category(letter)
    if kind == "Zs":
        return " "
    if kind[0] == "C" or kind in ("Zl", "Zp") or not any(font.get_char_index(ord(letter)) for _, font in _fonts()):
        return letter.encode("unicode_escape").decode()
    return letter


@cache
def _fonts() -> list[tuple[str, "FT2Font"]]:
    """Families that are installed."""
    from matplotlib import font_manager

    installed = {font.name: font.fname for font in reversed(font_manager.fontManager.ttflist)}
    paths: dict[str, Any] = {FONT: font_manager.findfont(FONT)}
    paths |= {name: installed[name] for name in OTHER_FONTS if name in installed}
    return [(name, font_manager.get_font(path)) for name, path in paths.items()]


@cache
def _advance(letter: str, size: float) -> float:
    """Inches from a letter to the next one, which are whole pixels."""
    from matplotlib.backends.backend_agg import get_hinting_flag

    for _, font in _fonts():
        if font.get_char_index(ord(letter)):
            font.set_size(size, DPI)
            return np.ceil(font.load_char(ord(letter), flags=get_hinting_flag()).horiAdvance / 64) / DPI
    return size / POINTS


def _inches(text: str, size: float) -> float:
    return sum(_advance(letter, size) for letter in text)


def _joined(lines: list[list[str]]) -> str:
    return "\n".join("".join(line).rstrip() for line in lines).replace("$", r"\$")


def _widest(lines: list[list[str]], size: float) -> float:
    return max((_inches("".join(line).rstrip(), size) for line in lines), default=0.0)


def _cut(lines: list[list[str]]) -> bool:
    """Whether a line ends inside a word."""
    return any(not re.search(r"[\s_/-]$", "".join(line)) for line in lines[:-1])


def _broken(units: list[str], inches: float, size: float) -> list[list[str]]:
    """Lines of at most this width, broken after words where that is possible."""
    lines: list[list[str]] = [[]]
    for word in _words(units):
        if lines[-1] and _widest([lines[-1] + word], size) > inches:
            lines.append([])
        for unit in word:
            if lines[-1] and _widest([[*lines[-1], unit]], size) > inches:
                lines.append([])
            lines[-1].append(unit)
    return lines


def _words(units: list[str]) -> list[list[str]]:
    words: list[list[str]] = [[]]
    for unit in units:
        words[-1].append(unit)
        if re.fullmatch(r"[\s_/-]", unit):
            words.append([])
    return words


def _shortened(units: list[str], inches: float, size: float, lines: int) -> list[list[str]]:
    """At most so many lines; of what is too long, as much of both ends as there is room for."""
    found = _broken(units, inches, size)
    low, high = 0, len(units) - 1
    if len(found) <= lines:
        return found
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(_broken(_ends(units, middle), inches, size)) <= lines
        low, high = (middle, high) if fits else (low, middle - 1)
    return _broken(_ends(units, low), inches, size)[:lines]


def _ends(units: list[str], count: int) -> list[str]:
    """The first and the last of the letters, together `count`."""
    return [*units[: (count + 1) // 2], "…", *units[len(units) - count // 2 :]]
