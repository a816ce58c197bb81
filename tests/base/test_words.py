"""One and the same word means what the field takes it for."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BeforeValidator, ByteSize, Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.registry import Choice, Registry
from ae_pipelines.base.words import Words, expanded, read

ODD = [
    "007",
    "no",
    "on",
    "1e3",
    "1_000",
    "2024-01-01",
    "0x10",
    "null",
    "none",
    "-1",
    "nan",
    "~",
    "?",
    "1:30",
    "yes",
    "",
]


def words(value):
    """As typed without quotes."""
    if isinstance(value, dict):
        return {name: words(item) for name, item in value.items()}
    return [words(item) for item in value] if isinstance(value, list) else Words(value)


@pytest.mark.parametrize("word", ODD)
def test_text_stays_as_it_was_typed(word):
    class Named(Options):
        name: str
        names: list[str]
        several: tuple[Annotated[str, BeforeValidator(str)], ...] = ()
        by_name: dict[str, str] = {}

    given = {"name": word, "names": [word, "x"], "several": [word], "by_name": {"a": word}}
    found = Named.model_validate(words(given))
    assert found.model_dump(mode="json") == given
    assert type(found.name) is str


@pytest.mark.parametrize(
    ("word", "wanted", "value"),
    [
        ("007", int, 7),
        ("1e3", int, 1000),
        ("1e3", float, 1000.0),
        ("-1", float, -1.0),
        ("3", int | None, 3),
        ("null", int | None, None),
        ("none", str | None, None),
        ("007", str | None, "007"),
        ("none", Literal["none", "folder"] | None, "none"),
        ("on", bool, True),
        ("No", bool | None, False),
        ("1GB", ByteSize, 10**9),
        ("2024", Path, Path("2024")),
        ("null", Path | None, None),
        (["1", "2"], tuple[int, int] | None, (1, 2)),
        ("0.5", Annotated[float, Field(gt=0)] | list[float], 0.5),
        (["0.5", "1"], Annotated[float, Field(gt=0)] | list[float], [0.5, 1.0]),
        ({"a": ["007"]}, dict[str, tuple[str, ...]], {"a": ("007",)}),
        (["007", "1"], tuple[str, int], ("007", 1)),
        ({"a": "true", "b": "007", "c": "null", "d": "no"}, dict[str, Any], {"a": True, "b": 7, "c": None, "d": "no"}),
    ],
)
def test_a_word_is_read_by_the_type_of_its_field(word, wanted, value):
    class Fields(Options):
        field: wanted

    assert Fields.model_validate({"field": words(word)}).field == value


@pytest.mark.parametrize(
    "wanted", [list[str], tuple[str, ...] | None, Annotated[list[str], Field(min_length=1)] | None]
)
def test_one_word_for_a_list_of_texts_is_a_list_of_one(wanted):
    assert [read(word, wanted) for word in (Words("007"), "a, b")] == [["007"], ["a, b"]]
    assert read([], wanted) == []


def test_nothing_for_a_list_of_texts_is_an_empty_list_or_none():
    assert read(Words(""), list[str]) == []
    assert read(Words(""), list[str] | None) is None
    assert read(Words("null"), list[str]) == ["null"]


@pytest.mark.parametrize(
    "wanted", [str | list[str], tuple[str, int], list[int], list[list[str]], dict[str, str], Literal["x"] | list[str]]
)
def test_a_word_is_left_alone_where_no_list_of_texts_is_wanted_or_it_may_be_one_itself(wanted):
    assert read(Words("x"), wanted) == "x"


def test_what_was_quoted_is_text_where_nothing_else_is_wanted():
    assert read("null", str | None) == "null"
    assert read(["null"], list[str | None]) == ["null"]


@pytest.mark.parametrize("word", ["on", "seven", "1.5"])
def test_a_word_that_is_no_number_is_refused_as_it_was_typed(word):
    class Counted(Options):
        count: int

    with pytest.raises(InputError, match=rf"count: given '?{word}'?, but"):
        Counted.model_validate({"count": Words(word)})


def test_a_number_for_a_text_is_refused_with_the_remedy():
    class Named(Options):
        name: str

    with pytest.raises(InputError, match=r"name: given 7, but .* put it into quotes"):
        Named.model_validate({"name": 7})


# -- parts that are chosen by kind -----------------------------------------------------------------------

PENS = Registry("pen", __name__)


class PenChoice(Choice):
    registry = PENS


@PENS.register("fine")
class Fine:
    def __init__(
        self, *, name: str = "x", width: float = 1.0, caps: bool = False, spare: PenChoice | None = None
    ) -> None:
        self.of = (name, width, caps, spare)


class Case(Options):
    pens: list[PenChoice]


def test_options_of_a_part_are_read_when_the_part_is_known():
    case = Case.model_validate({"pens": words([{"kind": "fine", "name": "007", "width": "007", "caps": "no"}])})
    assert case.pens[0].build().of == ("007", 7.0, False, None)


def test_recipes_that_mean_the_same_are_dumped_alike_however_they_were_given():
    inner = {"kind": "fine", "name": "1e3", "width": 2}
    given = {"kind": "fine", "name": "none", "width": 0.5, "caps": True, "spare": inner}
    typed = {"kind": "fine", "name": "none", "width": "0.5", "caps": "true", "spare": inner | {"width": "2"}}
    plain, read_later = (Case.model_validate({"pens": [pen]}).model_dump(mode="json") for pen in (given, words(typed)))
    assert read_later == plain == {"pens": [given]}
    assert type(read_later["pens"][0]["caps"]) is bool
    assert Case.model_validate(read_later).pens[0].build().of[0] == "none"


def test_an_unknown_kind_is_refused_when_it_is_checked_not_when_it_is_shown():
    choice = PenChoice.model_validate(words({"kind": "fien", "width": "1"}))
    assert choice.model_dump() == {"kind": "fien", "width": 1}
    with pytest.raises(InputError, match="Did you mean 'fine'"):
        choice.check()


# -- paths -----------------------------------------------------------------------------------------------


class Place(Options):
    path: Path


@pytest.mark.parametrize("given", [str, Words])
def test_the_home_folder_and_environment_variables_are_replaced_in_paths(given, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SETS", "/data/sets")
    assert Place(path=given("~/my photos")).path == tmp_path / "my photos"
    assert Place(path=given("~")).path == tmp_path
    assert Place(path=given("$SETS/a_$SETS.csv")).path == Path("/data/sets/a_/data/sets.csv")
    assert Place(path=given("${SETS}2/x")).path == Path("/data/sets2/x")
    assert Place(path=given("/a/~b/c$")).path == Path("/a/~b/c$")


def test_a_variable_that_is_not_set_is_named_unless_there_is_a_file_of_that_name(monkeypatch, tmp_path):
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(InputError, match=r"path: given '\$NOWHERE/x', but there is no environment variable NOWHERE"):
        Place.model_validate({"path": "$NOWHERE/x"})
    (tmp_path / "$NOWHERE").touch()
    assert expanded(f"{tmp_path}/$NOWHERE") == f"{tmp_path}/$NOWHERE"


@pytest.mark.parametrize("given", [str, Words])
def test_an_empty_path_is_not_the_current_folder(given, monkeypatch):
    with pytest.raises(InputError, match=r"path: given nothing, expected a path"):
        Place.model_validate({"path": given("")})
    monkeypatch.setenv("EMPTY", "")
    for text in ("$EMPTY", "${EMPTY}/x"):
        with pytest.raises(InputError, match=r"path: given .*, but the environment variable EMPTY is empty"):
            Place.model_validate({"path": given(text)})
    assert read(Words(""), Path | None) is None


def test_a_folder_may_be_called_by_a_number_in_a_file_too():
    assert Place(path=2024).path == Path("2024")
    with pytest.raises(InputError, match="path: given True"):
        Place.model_validate({"path": True})
