"""A recipe and a source picked by name, as a run would pick them, and what is known of samples before a run."""

import os
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from ae_pipelines.base.errors import InputError
from ae_pipelines.project.configuration import ConfigLoader
from ae_pipelines.project.typed import as_typed, typed
from ae_pipelines.samples.ingest import IngestOptions
from ae_pipelines.samples.source import EncodedSource, Source
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.settings import CONFIG_LOADER_ARGS
from ae_pipelines.training.recipe import Recipe

SHAPES = {"photos": (3, 32, 32)}
"""Of samples that nothing is known of, by what a recipe is for."""
USUAL_SHAPE = (1, 28, 28)
CLASSES = tuple(map(str, range(10)))
"""Labels that samples are taken to have where they have not been looked at."""


@dataclass(frozen=True)
class Picked:
    """What a run with these parameters would work on."""

    parameters: dict[str, Any]
    catalog: dict[str, Any]
    names_source: bool
    """Whether the source was picked by the user or by the recipe; otherwise it is the project's."""

    @classmethod
    def of(cls, recipe: str, source: str | None, params: str, configuration: Path) -> "Picked":
        """By names, with fields as they are typed after `--params`; `InputError` for unknown ones."""
        given = [f"recipe.name={as_typed(recipe)}", *([f"source.name={as_typed(source)}"] if source else []), params]
        with warnings.catch_warnings(action="ignore", category=UserWarning):  # as in settings: Kedro's own
            words = typed(",".join(given))
            loader = ConfigLoader(str(configuration), os.environ.get("KEDRO_ENV"), words, **CONFIG_LOADER_ARGS)
            parameters, catalog = loader["parameters"], loader["catalog"]
        return cls(parameters, catalog, "source" in words or parameters["recipe"].get("source") is not None)

    @cached_property
    def recipe(self) -> Recipe:
        return Recipe.model_validate(self.parameters["recipe"])

    @property
    def source_name(self) -> str:
        """The name under which the source was picked."""
        return str(self.parameters["source"])

    @cached_property
    def source(self) -> Source | EncodedSource:
        found: Source | EncodedSource = AbstractDataset.from_config("source", self.catalog["source"]).load()
        return found

    @property
    def ingest(self) -> IngestOptions:
        return IngestOptions.model_validate(self.parameters.get("ingest", {}))

    @cached_property
    def samples(self) -> Samples | None:
        """The samples of this source that a run has ingested; None: there are none, or they are of another one."""
        folder = Path(self.catalog["samples"]["filepath"])
        if not (folder / "manifest.json").exists():
            return None
        samples, source = Samples(folder), self.source
        if samples.manifest.source != source.name:
            return None
        if self.absent:
            return samples
        spec = source.spec()
        return samples if (samples.spec.shape, samples.spec.dtype) == (spec.shape, spec.dtype) else None

    @property
    def absent(self) -> bool:
        """Whether the source is a public one that a run would fetch first."""
        path = getattr(self.source, "path", None)
        return getattr(self.source, "fetch", None) is not None and isinstance(path, Path) and not path.exists()

    def spec(self) -> SampleSpec:
        """What a sample looks like; `InputError` if it would have to be fetched."""
        if self.samples is not None:
            return self.samples.spec
        if self.absent:
            raise InputError(
                f"{self.source_name} is not on disk, and nothing is fetched here: give --shape=<channels,height,width>,"
                f" or fetch it by kedro run --pipelines=ingest --params=source={self.source_name}"
            )
        return self.source.spec()


def of_shape(text: str) -> SampleSpec:
    """What samples of this shape look like: images have three numbers, rows of numbers have one."""
    try:
        shape = tuple(int(size) for size in text.replace("x", ",").split(","))
    except ValueError:
        shape = ()
    if len(shape) not in (1, 2, 3) or min(shape) < 1:
        raise InputError(
            f"--shape: given {text!r}, expected channels,height,width of images, such as 1,28,28, or how many features"
        )
    return SampleSpec(shape=shape, dtype="uint8" if len(shape) == 3 else "float32")
