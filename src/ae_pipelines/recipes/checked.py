"""Whether a recipe fits samples, in the words of a run, before there is one."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from ae_pipelines.base.errors import InputError
from ae_pipelines.recipes.picked import CLASSES, Picked
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import EncodedSource
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.tracking.encoders import folder_of
from ae_pipelines.training.recipe import EmbedOptions, Recipe

FEW_BYTES, FEW_ENCODED_BYTES = 10**8, 10**7
"""Samples that take less are ingested into a temporary folder: within seconds all is known that a run would know."""


@dataclass
class Checked:
    """That a recipe fits, and how far it was looked."""

    samples: str
    """What it was looked at: for people."""
    cautions: list[str] = field(default_factory=list)
    """What a run would warn of, or leave out."""


def check(picked: Picked, spec: SampleSpec | None = None) -> Checked:
    """Of the picked source, or samples like `spec`; `InputError` if it does not fit."""
    recipe = _with_encoder_here(picked.recipe)
    recipe.check()
    with _warnings() as said:
        if spec is not None:
            found = Checked(_described(spec, None, "of which nothing else is known"))
            _check_spec(recipe, spec, found)
        elif picked.samples is not None:
            found = _check_store(recipe, picked.samples, f"ingested in {picked.samples.folder}")
        else:
            found = _check_source(recipe, picked)
    found.cautions += [one.removeprefix(f"{recipe.name}: ") for one in said]
    try:
        EmbedOptions().check_recipe(recipe)
    except InputError as error:
        found.cautions.append(str(error))
    return found


def _check_source(recipe: Recipe, picked: Picked) -> Checked:
    """By all samples where there are few, else by what they look like and how many there are."""
    spec, source = picked.spec(), picked.source
    count = source.count()
    few = FEW_ENCODED_BYTES if isinstance(source, EncodedSource) else FEW_BYTES
    if count is not None and count * spec.sample_bytes <= few:
        with TemporaryDirectory() as folder:
            return _check_store(recipe, write_store(Path(folder), source, picked.ingest), "ingested to look at them")
    found = Checked(_described(spec, count, "which were not ingested"))
    if count is not None and count < recipe.loader.batch_size:
        raise InputError(
            f"{count} samples do not fill one batch of {recipe.loader.batch_size}: give more samples or a smaller "
            "recipe.loader.batch_size"
        )
    _check_spec(recipe, spec, found)
    return found


def _check_store(recipe: Recipe, samples: Samples, how: str) -> Checked:
    recipe.check_samples(samples)
    return Checked(_described(samples.spec, len(samples), how))


def _check_spec(recipe: Recipe, spec: SampleSpec, found: Checked) -> None:
    """As far as it depends on what a sample looks like; labels are taken to be there."""
    from ae_pipelines.training.trial import caution

    model = recipe.try_out(recipe.task_for(spec, CLASSES))
    if (said := caution(recipe.model, recipe.loader, model, spec)) is not None:
        found.cautions.append(said)
    if model.wants_labels or recipe.loader.normal_labels:
        found.cautions.append(f"{recipe.name} learns from labels, and whether there are any was not looked at")


def _with_encoder_here(recipe: Recipe) -> Recipe:
    """The recipe with the folder of the encoder that it starts from, if there is one."""
    address = recipe.training.initial_encoder
    return recipe if address is None else recipe.starting_from(folder_of(Path.cwd(), address))


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What is warned of meanwhile, which is then not shown elsewhere."""
    said: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ours, keep = logging.getLogger("ae_pipelines"), Keep(logging.WARNING)
    shown, ours.propagate = ours.propagate, False
    ours.addHandler(keep)
    try:
        yield said
    finally:
        ours.removeHandler(keep)
        ours.propagate = shown


def _described(spec: SampleSpec, count: int | None, how: str) -> str:
    number = "samples" if count is None else f"{count:,} samples"
    return f"{number} of {' x '.join(map(str, spec.shape))} ({spec.dtype}), {how}"
