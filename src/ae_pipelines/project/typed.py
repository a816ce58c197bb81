"""What is typed after `--params`: `a=1,b.c=[2,"x, y"]` as nested values.

Text may be in quotes, as in YAML; other words are read later, each by the type of the field that it is for. The same
holds for what `conf/airflow/airflow.yml` says in its place.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from yaml import SafeLoader, ScalarNode, YAMLError, load, safe_load  # type: ignore[import-untyped]

from ae_pipelines.base.errors import InputError, shortened
from ae_pipelines.base.words import Words

LONGEST_NAME, LONGEST_WORDS = 300, 4096
"""Characters of a dotted name, and of a text without quotes: a path is no longer."""
DEEPEST = 30
"""How many brackets may be in each other, and how many parts a dotted name may have."""
BRACKETS = {"[": "]", "{": "}"}
NOT_INSIDE = re.compile(r"[\[\]{},]|^[\"']")
QUOTED = re.compile(r""" "(?:[^"\\]|\\.)*" | '(?:[^']|'')*' """, re.DOTALL | re.VERBOSE)


def typed(text: str) -> dict[str, Any]:
    """Values by name, nested where names are dotted. Where both `recipe=conv` and `recipe.…=…` are given, the first is
    read as `recipe.name=conv`, so that neither is lost; `InputError` for two values of one name, and for what nobody
    means: names and words without end, endless depth, letters that no file or database takes."""
    try:
        _refuse_no_text(text)
        return _nested(list(_Typed(text).pairs()))
    except InputError as error:
        raise InputError(f"--params: {error}") from error


def _refuse_no_text(text: str) -> None:
    if "\0" in text:
        raise InputError(f"given {shortened(repr(text))}, expected text without the letter \\0")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise InputError(f"given {shortened(ascii(text))}, expected text in UTF-8")


def _nested(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parts = {name.rpartition(".")[0] for name, _ in pairs} | {name for name, value in pairs if isinstance(value, dict)}
    found: dict[str, Any] = {}
    for name, value in pairs:
        short = not isinstance(value, dict) and any(f"{part}.".startswith(f"{name}.") for part in parts)
        _put(found, (f"{name}.name" if short else name).split("."), value)
    return found


def _put(values: dict[str, Any], names: list[str], value: Any, inside: str = "") -> None:
    """Add a value under its nested name; a mapping is added to what is there."""
    first, *rest = names
    name = f"{inside}{first}"
    ends = not rest and not isinstance(value, dict)
    if first in values and (ends or not isinstance(values[first], dict)):
        raise InputError(f"{name} is given twice, as {as_typed(values[first])} and as {as_typed(value)}: give it once")
    if ends:
        values[first] = value
        return
    values.setdefault(first, {})
    for path, item in [(rest, value)] if rest else [([key], item) for key, item in value.items()]:
        _put(values[first], path, item, f"{name}.")


class _Typed:
    """A text, read from its start to its end."""

    def __init__(self, text: str) -> None:
        self._text, self._place, self._depth = text, 0, 0

    def pairs(self) -> Iterator[tuple[str, Any]]:
        while self._next():
            if self._skip(","):
                continue
            name, equals, _ = self._text[self._place :].partition("=")
            if not (name.strip() and equals) or "," in name:
                given = name.partition(",")[0]
                raise InputError(f"given {given!r}, expected name=value[,name=value...]")
            if len(name) > LONGEST_NAME or name.count(".") >= DEEPEST:
                raise InputError(f"given the name {name[:50]!r}..., expected names of at most {LONGEST_NAME} letters")
            if not all(part.strip() for part in name.split(".")):
                raise InputError(f"given {name.strip()!r}, expected a name with something before and after each dot")
            self._place += len(name) + 1
            try:
                value = self._value(",")
            except InputError as error:
                raise InputError(f"{name.strip()}: {error}") from error
            yield name.strip(), value

    def _value(self, ends: str) -> Any:
        """A list, a mapping, text in quotes, or words, up to one of the letters `ends` or the end of the text."""
        start, first = self._place, self._next()
        value: Any
        if first == "[":
            value = self._items()
        elif first == "{":
            value = self._entries()
        elif first and first in "\"'":
            value = self._quoted()
        else:
            return self._words(ends)
        if self._next() not in ("", *ends):
            given = self._text[start : self._place].strip() + self._words(ends)
            raise InputError(f"given {given}, expected a comma after {value!r}: put the whole text into quotes")
        return value

    def _items(self) -> list[Any]:
        return [self._value(",]") for _ in self._between("[")]

    def _entries(self) -> dict[str, Any]:
        found = dict[str, Any]()
        for name, value in (self._entry() for _ in self._between("{")):
            if name in found:
                raise InputError(f"{name} is given twice, as {as_typed(found[name])} and as {as_typed(value)}")
            found[name] = value
        return found

    def _entry(self) -> tuple[str, Any]:
        name = self._quoted() if self._next() in ('"', "'") else str(self._words(":,}"))
        if not self._skip(":"):
            raise InputError(f"given {name} between braces, expected name: value")
        return name, self._value(",}")

    def _between(self, bracket: str) -> Iterator[None]:
        """Once for each value between brackets."""
        start, closing = self._place, BRACKETS[bracket]
        self._place += 1
        self._depth += 1
        if self._depth > DEEPEST:
            raise InputError(f"given more than {DEEPEST} brackets in each other: put text into quotes")
        while not self._skip(closing):
            if (letter := self._next()) == "":
                raise InputError(f"given {self._text[start:]}, which has no {closing}: put text into quotes")
            if letter == ",":
                raise InputError('there is nothing before a comma: write "" for an empty text')
            yield
            if self._next() not in ("", closing):
                self._skip(",")
        self._depth -= 1

    def _quoted(self) -> str:
        if (found := QUOTED.match(self._text, self._place)) is None:
            raise InputError(
                f"given {self._text[self._place :]}, which has no closing quote: put all of it into quotes"
            )
        self._place = found.end()
        return unquoted(found[0])

    def _words(self, ends: str) -> Words:
        """Up to one of the letters `ends`, unless that is in brackets which belong to the words, as in a[1,2].csv."""
        start, closing = self._place, list[str]()
        while (letter := self._text[self._place : self._place + 1]) and (closing or letter not in ends):
            if letter in BRACKETS:
                closing.append(BRACKETS[letter])
            elif closing and letter == closing[-1]:
                closing.pop()
            self._place += 1
        if closing:
            raise InputError(f"given {self._text[start:]}, which has no {closing[-1]}: put text into quotes")
        if self._place - start > LONGEST_WORDS:
            raise InputError(f"given {self._place - start:,} letters, expected at most {LONGEST_WORDS:,}, or quotes")
        return Words(self._text[start : self._place].strip())

    def _next(self) -> str:
        """The next letter that is no blank; none at the end."""
        while self._text[self._place : self._place + 1].isspace():
            self._place += 1
        return self._text[self._place : self._place + 1]

    def _skip(self, letter: str) -> bool:
        """Whether this letter is the next, which is then passed."""
        found = self._next() == letter
        self._place += found
        return found


def unquoted(text: str) -> str:
    """What is between quotes; in single ones a quote is written twice, in double ones there are escapes."""
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    try:
        found = str(json.loads(text, strict=False))
    except ValueError:
        found = _by_yaml(text)
    _refuse_no_text(found)
    return found


def _by_yaml(text: str) -> str:
    try:
        return str(safe_load(text))  # it knows escapes that JSON does not, such as "\x41"
    except YAMLError as error:
        raise InputError(f"given {text}, where \\ begins no escape: use single quotes, or write it twice") from error


def as_typed(value: Any) -> str:
    """What to type for a value: `typed` and the field that it is for give it again."""
    if isinstance(value, Words):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_inside, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(str(name))}: {_inside(item)}' for name, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def _inside(value: Any) -> str:
    """As `as_typed`; between brackets words need quotes if they have a letter that means something there."""
    needs_quotes = isinstance(value, Words) and (NOT_INSIDE.search(value) or value != value.strip() or not value)
    return json.dumps(str(value), ensure_ascii=False) if needs_quotes else as_typed(value)


def typed_yaml(text: str) -> Any:
    """YAML whose words without quotes are kept as they are written."""
    return load(text, _AsWritten)


class _AsWritten(SafeLoader):
    yaml_implicit_resolvers = {"<": SafeLoader.yaml_implicit_resolvers["<"]}


def _as_written(loader: _AsWritten, node: ScalarNode) -> str:
    return Words(node.value) if node.style is None else str(node.value)


_AsWritten.add_constructor("tag:yaml.org,2002:str", _as_written)
