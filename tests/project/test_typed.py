"""What is typed after --params, and that text arrives as it is."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from making import PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.words import Words
from ae_pipelines.io.scoring import ModelRegistryDataset
from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.project.typed import as_typed, typed, typed_yaml
from ae_pipelines.samples.sources import SourceChoice
from ae_pipelines.settings import CONFIG_LOADER_ARGS
from ae_pipelines.training.recipe import Recipe


def in_single_quotes(text):
    return "'" + text.replace("'", "''") + "'"


QUOTES = st.sampled_from([json.dumps, lambda text: json.dumps(text, ensure_ascii=False), in_single_quotes])
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(text=TEXT.filter(lambda text: text != "f"), texts=st.lists(TEXT), quoted=QUOTES)
@settings(max_examples=500, deadline=None)
def test_any_text_in_quotes_arrives_unchanged(text, texts, quoted):
    found = typed(
        f"a=1,b.c={quoted(text)},d=[{','.join(map(quoted, texts))}],e={{{quoted(text)}: {quoted(text)}, f: 2}}"
    )
    assert found == {"a": "1", "b": {"c": text}, "d": texts, "e": {text: text, "f": "2"}}


PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]{},\0")).map(str.strip)


@given(text=PLAIN.filter(lambda text: text[:1] not in ("'", '"')))
@settings(max_examples=500, deadline=None)
def test_text_without_commas_brackets_and_quotes_around_it_needs_no_quotes(text):
    assert typed(f"a={text},b=1") == {"a": text, "b": "1"}
    if text:
        assert typed(f"a=[{text},x]") == {"a": [text, "x"]}


NESTED = st.recursive(
    TEXT | PLAIN.filter(lambda text: text and text[0] not in "'\"").map(Words),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(value=NESTED)
@settings(max_examples=100, deadline=None)
def test_what_is_written_for_a_value_is_read_as_that_value(value):
    found = typed(f"a={as_typed(value)},b=1")
    assert found == {"a": value, "b": "1"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("recipe=conv,recipe.training.epochs=3", {"recipe": {"name": "conv", "training": {"epochs": "3"}}}),
        ("recipe=conv,recipe={x: 1}", {"recipe": {"name": "conv", "x": "1"}}),
        ("a={},a.b=1,a={c: 2}", {"a": {"b": "1", "c": "2"}}),
        ("a={b: {c: d}},a.b.e=1", {"a": {"b": {"c": "d", "e": "1"}}}),
        (" a = x y , b = [ c d , e ] ,", {"a": "x y", "b": ["c d", "e"]}),
        ("path=/d/a[1,2].csv,x=it's", {"path": "/d/a[1,2].csv", "x": "it's"}),
        (r"a=C:\data,b=http://x/y?z=1", {"a": r"C:\data", "b": "http://x/y?z=1"}),
        ("a=[],b={},c=,d=[1,]", {"a": [], "b": {}, "c": "", "d": ["1"]}),
        ("a=[[?, #1], {b: @c, 'd': *e}]", {"a": [["?", "#1"], {"b": "@c", "d": "*e"}]}),
        (r'a="\x41\n\u00e9"', {"a": "A\né"}),
    ],
)
def test_values_are_nested_as_they_are_typed(text, found):
    assert typed(text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=[1,2,b=3", r"a: given \[1,2,b=3, which has no \]"),
        ("a='x,b=1", "a: given 'x,b=1, which has no closing quote"),
        ("a=[1] x,b=2", r"a: given .*expected a comma after"),
        ("a=[1,,2]", 'a: there is nothing before a comma: write ""'),
        ("a={x}", "a: given x between braces, expected name: value"),
        ("a=1,a=2", "a is given twice, as 1 and as 2: give it once"),
        ("a=1,b.c=x,b={c: y}", "b.c is given twice, as x and as y"),
        ("b={c: {d: 1, d: 2}}", "b: d is given twice"),
        ("source=mnist,source.name=idx", "source.name is given twice, as mnist and as idx"),
        ("a=[1],a=[1]", r"a is given twice, as \[1\] and as \[1\]"),
        ("a={b: 1},a=2,a=3", "a.name is given twice"),
        ("a.b=1,a.b.c=2,a.b=3", "a.b.name is given twice"),
        ("a={b: 1},a.b.c=2", "a.b is given twice, as 1 and as 2"),
        (r'a="C:\data"', r"a: given .*, where \\ begins no escape: use single quotes"),
        ("=3", "given '', expected name=value"),
        ("recipe,b=1", "given 'recipe', expected name=value"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(text, message):
    with pytest.raises(InputError, match=f"^--params: {message}"):
        typed(text)


def test_yaml_keeps_words_as_they_are_written_and_knows_anchors():
    found = typed_yaml("a: &a {b: 007, c: 'no', d: [1e3, null]}\ne: {<<: *a, f: ~}")
    assert found["e"] == {"b": "007", "c": "no", "d": ["1e3", "null"], "f": "~"}
    assert [type(value) for value in (found["a"]["b"], found["a"]["c"])] == [Words, str]
    with pytest.raises(yaml.YAMLError):
        typed_yaml("a: [")


# -- as far as the options -------------------------------------------------------------------------------


def loaded(text):
    return ConfigLoader(str(PROJECT / "conf"), runtime_params=typed(text), **CONFIG_LOADER_ARGS)


def source(text):
    entry = loaded(text)["catalog"]["source"]
    return SourceChoice(**{name: value for name, value in entry.items() if name not in ("type", "metadata")}).check()


@pytest.mark.parametrize("word", ["007", "no", "on", "1e3", "4", "1_000", "2024-01-01", "-1", "${data_dir}", "nan"])
def test_names_of_labels_columns_and_folders_are_those_that_were_typed(word):
    recipe = Recipe.model_validate(loaded(f"recipe=dense,recipe.loader.normal_labels=[{word}]")["parameters"]["recipe"])
    assert recipe.loader.normal_labels == (word,)
    options = source(f"source=table,source.label={word},source.columns=[{word}, 'null'],source.id=null")
    assert (options["label"], options["columns"], options["id"]) == (word, [word, "null"], None)
    one = source(f"source=table,source.columns={word},source.missing={word}")
    assert (one["columns"], one["missing"]) == ([word], [word])
    assert loaded(f"model_name={word}")["catalog"]["model_registry"]["name"] == word
    if "$" not in word:
        found = loaded(f"data_dir=/x/{word}")["catalog"]["latents"]["filepath"]
        assert found == f"/x/{word}/07_model_output/latents.parquet"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("", "digits"),
        ("source=mnist", "mnist"),
        ("source.name=mnist,source.path=/x", "mnist"),
        ("recipe=inpainting", "photos"),
        ("model_name=,source=mnist", "mnist"),
        ("model_name=cells,source=mnist", "cells"),
    ],
)
def test_models_are_called_as_their_source_unless_a_name_is_given(given, name):
    entry = loaded(given)["catalog"]["model_registry"]
    assert ModelRegistryDataset(filepath="mlflow.db", name=entry["name"], source=entry["source"]).load().name == name


def test_values_of_python_are_taken_as_they_are():
    given = {
        "data_dir": 20241101,
        "recipe": {"name": "dense", "training": {"epochs": 3}, "loader": {"normal_labels": [7]}},
    }
    loader = ConfigLoader(str(PROJECT / "conf"), runtime_params=given, **CONFIG_LOADER_ARGS)
    recipe = Recipe.model_validate(loader["parameters"]["recipe"])
    assert (recipe.training.epochs, recipe.loader.normal_labels) == (3, ("7",))
    assert loader["catalog"]["latents"]["filepath"].startswith("20241101/")


def test_folders_of_a_run_take_the_home_folder_and_variables(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SETS", "/sets")
    loader = loaded("data_dir=~/ae out,raw_dir=$SETS,source=table,source.path=~/x.csv,recognise.trained=~/other")
    assert loader.data_dir == "/home/me/ae out"
    assert loader["catalog"]["latents"]["filepath"] == "/home/me/ae out/07_model_output/latents.parquet"
    assert loader["catalog"]["source"]["path"] == "/home/me/x.csv"
    assert loaded("raw_dir=$SETS,source=mnist")["catalog"]["source"]["path"] == "/sets/mnist"
    assert loader["parameters"]["recognise"]["data_dir"] == "/home/me/ae out"
    recipe = loaded("recipe=dense,recipe.training.initial_encoder=$SETS/encoder")["parameters"]["recipe"]
    assert Recipe.model_validate(recipe).training.initial_encoder == "/sets/encoder"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data_dir=$NOWHERE/x", "data_dir: given .* no environment variable NOWHERE"),
        ("data_dir=", "data_dir: given nothing, expected a folder"),
        ("source=table,source.path=", "source.path: given nothing, expected a path"),
        ("source=table,source.path=$EMPTY", "source.path: given '.EMPTY', but the environment variable EMPTY is empty"),
        ("source=table,source.path=$NOWHERE/x.csv", "source.path: given .* no environment variable NOWHERE"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_refused(text, message, monkeypatch):
    monkeypatch.delenv("NOWHERE", raising=False)
    monkeypatch.setenv("EMPTY", "")
    with pytest.raises(InputError, match=message):
        loaded(text)["catalog"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a=b\0c", r"expected text without the letter \\0"),
        ('a="\\u0000"', r"expected text without the letter \\0"),
        ('a="\\ud800"', "expected text in UTF-8"),
        ("a=\udcff", "expected text in UTF-8"),
        ("a..b=1", "given 'a..b', expected a name with something before and after each dot"),
        (".a=1", "expected a name with something"),
        ("a.=1", "expected a name with something"),
        (".".join(["a"] * 2000) + "=1", r"given the name 'a\.a\.a\..*, expected names of at most 300 letters"),
        (f"{'a' * 400}=1", "expected names of at most 300 letters"),
        (f"a={'b' * 5000}", "given 5,000 letters, expected at most 4,096, or quotes"),
        (f"a={'[' * 3000}{']' * 3000}", "given more than 30 brackets in each other"),
        (f"a={'{b: ' * 1000}1{'}' * 1000}", "given more than 30 brackets in each other"),
    ],
)
def test_what_nobody_means_is_refused_in_one_sentence(text, message):
    with pytest.raises(InputError, match=f"--params: .*{message}"):
        typed(text)
