"""Words as they were typed, read by the type of the field that they are for: 007 is a label, and also the number 7."""

import os
import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from ae_pipelines.base.errors import InputError

NOTHING = {"", "null", "Null", "NULL", "none", "None"}
"""Words for None, where a field may be None."""
SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)

Inside = Callable[[type, dict[str, Any]], Any]
"""How a mapping is read that is for a set of options."""


class Words(str):
    """Something typed without quotes. What it means depends on the field that it is for, and until that is known it is
    text; what was quoted is a plain `str`."""

    __slots__ = ()


def left_to_it(options: type, given: dict[str, Any]) -> Any:
    """A set of options reads its own fields, when it is made."""
    return given


def read(given: Any, wanted: Any, inside: Inside = left_to_it) -> Any:
    """What `given`, or the `Words` in it, mean where the type `wanted` is: text stays as it was typed, one text for a
    list of them is a list of one, and in paths ~ and environment variables are replaced."""
    if wanted is object:
        return given  # it is kept as it is
    types_ = alternatives(wanted)
    if isinstance(given, Words):
        return _of_words(str(given), types_)
    if isinstance(given, str):
        if str in types_:
            return given
        if _takes_several_texts(types_):
            return [given]
        return expanded(given) if Path in types_ else given
    if type(given) is int and Path in types_:
        return str(given)  # YAML takes the folder 2024 for a number
    if not holds_words(given):
        return given
    return _of_mapping(given, types_, inside) if isinstance(given, dict) else _of_items(given, types_, inside)


def holds_words(given: Any) -> bool:
    """Whether it is, or has somewhere in it, something that is not read yet."""
    if isinstance(given, dict):
        return any(map(holds_words, given.values()))
    return any(map(holds_words, given)) if isinstance(given, list) else isinstance(given, Words)


def read_fields(given: dict[str, Any], fields: Mapping[str, Any], inside: Inside = left_to_it) -> dict[str, Any]:
    """Values read as the (pydantic) fields that they are for; those of no field stay as they are."""
    by_name = {**fields, **{field.alias: field for field in fields.values() if field.alias}}
    return {
        name: _read_field(name, value, by_name[name].annotation, inside) if name in by_name else value
        for name, value in given.items()
    }


def _read_field(name: str, value: Any, wanted: Any, inside: Inside) -> Any:
    try:
        return read(value, wanted, inside)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error


def guessed(given: Any) -> Any:
    """What `given`, or the `Words` in it, mean where no type is known: nothing, true or false, numbers, else text."""
    if isinstance(given, Words):
        text = str(given)
        known = {"": None, "null": None, "~": None, "true": True, "false": False}
        return known[text.lower()] if text.lower() in known else _number(text)
    if isinstance(given, list):
        return [guessed(item) for item in given]
    if isinstance(given, dict):
        return {key: guessed(value) for key, value in given.items()}
    return given


def expanded(text: str) -> str:
    """A path with the home folder for ~ and environment variables for $NAME and ${NAME}; `InputError` for an empty
    one, which would be the current folder, and names a variable that is not set, or empty, unless there is a file
    called so."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        if name not in os.environ:
            raise InputError(f"given {text!r}, but there is no environment variable {name}: set it, or write the path")
        if not os.environ[name].strip():
            raise InputError(f"given {text!r}, but the environment variable {name} is empty: set it, or write the path")
        return os.environ[name]

    if not text.strip():
        raise InputError("given nothing, expected a path: write . for the current folder")
    if VARIABLE.search(text) and not os.path.lexists(text):
        text = VARIABLE.sub(value, text)
    return str(Path.home()) + text[1:] if text == "~" or text.startswith("~/") else text


def alternatives(wanted: Any) -> list[Any]:
    """The types that a value may have: `Annotated[int, ...] | None` → int, NoneType."""
    if get_origin(wanted) is Annotated:
        return alternatives(get_args(wanted)[0])
    if get_origin(wanted) in (Union, types.UnionType):
        return [type_ for each in get_args(wanted) for type_ in alternatives(each)]
    return [wanted]


def _of_words(text: str, wanted: list[Any]) -> Any:
    if text in (word for type_ in wanted if get_origin(type_) is Literal for word in get_args(type_)):
        return text
    if types.NoneType in wanted and text in NOTHING:
        return None
    if str in wanted:
        return text
    if Path in wanted:
        return expanded(text)
    if bool in wanted and text.lower() in SWITCHES:
        return SWITCHES[text.lower()]
    if _takes_several_texts(wanted):
        return [text] if text else []
    return guessed(Words(text)) if Any in wanted else _number(text)


def _takes_several_texts(wanted: list[Any]) -> bool:
    """Whether a list of any number of texts is wanted."""
    lists = [get_args(type_) for type_ in wanted if get_origin(type_) in (list, tuple, set, frozenset)]
    return any(str in alternatives(items[0]) for items in lists if items[1:] in ((), (...,)))


def _number(text: str) -> Any:
    """The number, or the text if it is none: the field that takes it says so."""
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _of_items(given: Any, wanted: list[Any], inside: Inside) -> Any:
    """Items of a list, each as its place wants it."""
    sequences = [type_ for type_ in wanted if get_origin(type_) in (list, tuple, set, frozenset)]
    if not sequences:
        return guessed(given) if Any in wanted else given
    places = get_args(sequences[0])
    if get_origin(sequences[0]) is not tuple or places[1:] == (...,):
        places = places[:1] * len(given)
    return [read(item, place, inside) for item, place in zip(given, places, strict=False)] + [*given[len(places) :]]


def _of_mapping(given: dict[str, Any], wanted: list[Any], inside: Inside) -> Any:
    if options := next((type_ for type_ in wanted if hasattr(type_, "model_fields")), None):
        return inside(options, given)
    mappings = [type_ for type_ in wanted if get_origin(type_) is dict]
    if not mappings:
        return guessed(given) if Any in wanted else given
    value = get_args(mappings[0])[1]
    return {str(key): _read_field(str(key), item, value, inside) for key, item in given.items()}
