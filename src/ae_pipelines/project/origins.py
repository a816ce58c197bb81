"""What the results of a run are made from: options, and the content of files."""

from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from pydantic import BaseModel

from ae_pipelines.base import seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.secrets import secrets_among
from ae_pipelines.io.local import Sealed
from ae_pipelines.io.scoring import ModelRegistryDataset
from ae_pipelines.io.source import SourceDataset
from ae_pipelines.tracking.parameters import flat

OPTION, FILES = "params:", "files in "
"""How the names of options, and of files that they name, begin."""
NOT_THERE = "not there"
LONGEST = 1000
"""Letters of an option's value that are kept; of a longer one, its sha256 too."""


class Origins:
    """What nodes of a pipeline are given, by name: the text of an option, a sha256 of what files hold."""

    def __init__(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        self._catalog = catalog
        self._makers = {name: node for node in pipeline.nodes for name in node.outputs}

    def of(self, node: Node) -> dict[str, str]:
        """What this node is given now."""
        return {name: text for entry in node.inputs for name, text in self._of_entry(entry)}

    def _of_entry(self, entry: str) -> Iterator[tuple[str, str]]:
        if entry.startswith(OPTION):
            value = self._catalog.load(entry)
            yield from _of_options(entry.removeprefix(OPTION), value)
            yield from _of_files(value)
            return
        dataset = self._catalog.get(entry)
        if isinstance(dataset, SourceDataset):
            source = dataset.load()
            yield from _of_options(entry, dataset._describe())
            if getattr(source, "fetch", None) is None:  # what is fetched has checksums, and may not be there yet
                yield from _of_files(source)
        elif isinstance(dataset, ModelRegistryDataset):
            yield from _of_options(entry, dataset._describe())
        elif isinstance(dataset, Sealed):
            if (path := dataset.sealed()) is not None:
                yield entry, _content(path)
        elif entry in self._makers:  # it is only in memory
            yield entry, canonical_sha256(self.of(self._makers[entry]))


def _of_options(name: str, value: Any) -> Iterator[tuple[str, str]]:
    for field, part in flat({name: value}).items():
        if not list(secrets_among(part, field)):
            text = str(part)
            yield OPTION + field, text if len(text) <= LONGEST else f"{text[:LONGEST]}… {canonical_sha256(text)}"


def _of_files(value: Any) -> Iterator[tuple[str, str]]:
    """What files look like that options name."""
    for path in _paths(value):
        yield f"{FILES}{path}", _looks(path)


def _content(path: Path) -> str:
    return canonical_sha256(seals.contents(path)) if path.exists() else NOT_THERE


def _paths(value: Any) -> Iterator[Path]:
    """Fields of type Path, and what options or a source say that they read beside those (`also_reads`)."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, BaseModel) or is_dataclass(value):
        yield from getattr(value, "also_reads", ())
        yield from _paths(dict(value) if isinstance(value, BaseModel) else vars(value))
    elif isinstance(value, dict):
        for part in value.values():
            yield from _paths(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _paths(part)


def _looks(path: Path) -> str:
    """Names, sizes and times of files: their content is not read."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(str(file), file.stat()) for file in files if file.is_file()]
    return canonical_sha256([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])
