"""What the library says, and what the command line adds."""

import pickle
import re

import click
import pytest
from making import PROJECT

from ae_pipelines.base.errors import InputError, NothingThere
from ae_pipelines.project.advice import advised, in_short

LIBRARY = (
    *("base", "samples", "latents", "downstream", "models", "training", "comparison", "generation", "restoration"),
    *("scoring", "plots", "tracking"),
)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InputError("no latents: run fit first", stages=("ingest", "fit")), "kedro run --pipelines=ingest,fit"),
        (InputError("no latents: run fit first", options={"data_dir": "..."}), "--params=data_dir=..."),
        (
            NothingThere("no latents: run fit first", stages=["fit"], options={"a.b": "1", "c": "<d>"}),
            "kedro run --pipelines=fit or --params=a.b=1 or --params=c=<d>",
        ),
    ],
)
def test_the_edge_adds_what_to_type_to_what_the_library_says(error, expected):
    assert str(error) == "no latents: run fit first"
    assert advised(error) == f"no latents: run fit first ({expected})"


@pytest.mark.parametrize(("params", "said"), [({"data_dir": "x"}, ", with the same --params"), ({}, "")])
def test_what_was_typed_is_to_be_typed_again(params, said):
    error = InputError("damaged: run fit again", stages=("fit",))
    with click.Context(click.Command("run")) as context:
        context.params["params"] = params
        assert advised(error) == f"damaged: run fit again (kedro run --pipelines=fit{said})"


def test_what_to_type_is_found_though_another_error_wraps_the_one_that_knows():
    wrapping = RuntimeError("failed to load: no file")
    wrapping.__cause__ = InputError("no file", options={"source.path": "..."})
    assert advised(wrapping) == "failed to load: no file (--params=source.path=...)"


def test_an_error_without_advice_is_shown_as_it_is():
    assert advised(InputError("no {braces} are read")) == "no {braces} are read"


def test_advice_survives_the_way_back_from_another_process():
    error = pickle.loads(pickle.dumps(InputError("no", stages=("fit",), options={"a": "1"})))
    assert advised(error) == "no (kedro run --pipelines=fit or --params=a=1)"


@pytest.mark.parametrize("room", LIBRARY)
def test_the_library_does_not_say_how_kedro_is_used(room):
    files = list((PROJECT / "src/ae_pipelines" / room).rglob("*.py"))
    assert files
    found = [f"{path.name}: {line}" for path in files for line in path.read_text().splitlines() if _of_kedro(line)]
    assert found == []


def _of_kedro(line: str) -> bool:
    return bool(re.search(r"kedro run|--params|--pipeline", line))


def test_in_short_only_the_refusal_is_told_and_of_a_bug_its_type():
    failure = RuntimeError("Failed while saving data to dataset")
    failure.__cause__ = InputError("no such folder", options={"raw_dir": "..."})
    assert in_short(failure) == "no such folder (--params=raw_dir=...)"
    assert in_short(KeyError("x")) == "KeyError: 'x'"
