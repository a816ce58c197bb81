"""A recipe in full: every option as YAML, and its model layer by layer."""

import textwrap
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import yaml  # type: ignore[import-untyped]

from ae_pipelines.base.errors import InputError
from ae_pipelines.recipes.heads import Head
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.layers import Layer, Outline
from ae_pipelines.training.recipe import Recipe

WIDTH = 120
COLUMNS = ("layer", "kind", "output", "parameters", "memory", "multiply-adds")
TO_THE_LEFT = 3
"""How many of these are text."""


class _Flat(yaml.SafeDumper):
    """Writes lists of plain values in one line."""

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> Any:
        plain = not any(isinstance(item, dict | list) for item in sequence)
        return super().represent_sequence(tag, sequence, flow_style=plain)


def as_yaml(recipe: Recipe, head: Head | None) -> str:
    """The recipe as a file might hold it, every option with its default, under what its head says."""
    said = [] if head is None else [head.purpose, *head.scores, f"From {head.file}, with all defaults."]
    comment = [line for text in said if text for line in textwrap.wrap(text, WIDTH - 2, break_on_hyphens=False)]
    whole = {"recipes": {recipe.name: recipe.described()}}
    text: str = yaml.dump(whole, Dumper=_Flat, sort_keys=False, width=WIDTH, allow_unicode=True)
    return "\n".join([*(f"# {line}" for line in comment), text.rstrip("\n")])


def as_table(recipe: Recipe, found: Outline, spec: SampleSpec, whose: str) -> str:
    """The model for samples of `whose`, part by part."""
    parts = list(dict.fromkeys(layer.part for layer in found.layers))
    tables = {part: [layer for layer in found.layers if layer.part == part] for part in parts}
    rows = {part: [*map(_cells, layers), _sums(layers)] for part, layers in tables.items()}
    widths = [max(map(len, column)) for column in zip(COLUMNS, *chain(*rows.values()), strict=True)]
    lines = [f"The model for {whose}: {_shape(spec.shape)}, {spec.dtype}", *_shapes(found, spec), ""]
    lines.append(_line(COLUMNS, widths))
    for part, cells in rows.items():
        only = all(layer.only_in_training for layer in tables[part])
        lines += [f"{part} (only in training)" if only else part, *(_line(row, widths) for row in cells)]
    return "\n".join([*lines, "", *_totals(recipe, found)])


def _shapes(found: Outline, spec: SampleSpec) -> list[str]:
    lines = []
    if found.input_shape != spec.shape:
        lines.append(f"input {_shape(found.input_shape)}, after corruptions")
    if found.training_shape != found.input_shape:
        lines.append(f"in training {_shape(found.training_shape)}")
    lines.append(
        f"latent {_shape(found.latent_shape)}" if found.latent_shape else "no latent: there is nothing to embed"
    )
    return lines


def _totals(recipe: Recipe, found: Outline) -> list[str]:
    batch = recipe.loader.batch_size
    used = sum(layer.activation_bytes for layer in found.layers)
    lines = [f"parameters {found.parameters:,}, as a file {_bytes(found.file_bytes)}"]
    if found.buffers:
        lines.append(f"{found.buffers:,} further numbers are learned without gradients; here they are not learned yet")
    lines.append(f"what layers give, for a batch of {batch}: {_bytes(batch * used)}")
    return [*lines, *_from_elsewhere(recipe)]


def _from_elsewhere(recipe: Recipe) -> list[str]:
    """Whether weights that it starts from are there."""
    if not recipe.model.starts_elsewhere:
        return []
    try:
        recipe.model.check_elsewhere()
    except InputError as error:
        return [f"its weights, which were trained elsewhere, are missing: {error}"]
    return ["it starts from weights that were trained elsewhere, which are there; none were read for this"]


def _cells(layer: Layer) -> tuple[str, ...]:
    place = layer.place.removeprefix(f"{layer.part}.") if layer.place != layer.part else "."
    return (
        f"  {place}",
        layer.kind,
        _shape(layer.output),
        f"{layer.parameters:,}" if layer.parameters else "",
        _bytes(layer.activation_bytes) if layer.activation_bytes else "",
        f"{layer.multiply_adds:,}" if layer.multiply_adds else "",
    )


def _sums(layers: Sequence[Layer]) -> tuple[str, ...]:
    def total(of: Callable[[Layer], int]) -> int:
        return sum(map(of, layers))

    return (
        "  sum",
        "",
        "",
        f"{total(lambda layer: layer.parameters):,}",
        _bytes(total(lambda layer: layer.activation_bytes)),
        f"{total(lambda layer: layer.multiply_adds):,}",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) if column < TO_THE_LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(padded).rstrip()


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _bytes(count: int) -> str:
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"
