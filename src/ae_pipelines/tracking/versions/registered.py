"""Which models are registered, and which of them is meant."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any

from ae_pipelines.base.errors import InputError, suggestion
from ae_pipelines.tracking.store import every

FILES = "ae.files"
"""Tag of a version that `register` made: the sha256 of each of its files."""


def versions_of_each(client: Any) -> dict[str, list[Any]]:
    """The versions that `register` has made, by the name of their model, oldest first; others may use the store."""
    found = defaultdict(list)
    for version in every_version(client):
        if FILES in version.tags:
            found[version.name].append(version)
    return {name: sorted(found[name], key=lambda version: int(version.version)) for name in sorted(found)}


def every_version(client: Any) -> Iterator[Any]:
    """The versions of all models, whoever made them."""
    return every(partial(client.search_model_versions, max_results=1000))


def name_of(client: Any, expected: str | None = None) -> str:
    """The model that is meant where none was named: the one that is called as `expected`, else the only one.

    `InputError` with the names of all if that leaves a choice, or nothing.
    """
    names = list(versions_of_each(client))
    if expected in names:
        return str(expected)
    if len(names) == 1:
        return names[0]
    called = f" is called {expected!r}, as the source is" if expected else ""
    if not names:
        none = f"no registered model{called}, and there is no other" if called else "no model is registered"
        raise InputError(f"{none}: run train first", stages=("train",))
    raise InputError(
        f"no registered model{called}, and there is more than one: {', '.join(names)}. Say which one is meant"
        if called
        else f"there is more than one registered model: {', '.join(names)}. Say which one is meant",
        options={"model_name": names[0]},
    )


def refuse_unregistered(client: Any, name: str) -> None:
    """`InputError` unless there is a model of this name."""
    names = list(versions_of_each(client))
    if name not in names:
        there = suggestion(name, names) if names else "none is registered: run train first"
        raise InputError(f"no registered model is called {name!r}; {there}", options={"model_name": "..."})
