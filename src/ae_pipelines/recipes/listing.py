"""All recipes as lines of text, grouped by what they are for."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import chain
from typing import Any

from ae_pipelines.recipes.heads import Head

WIDTH = 120
PURPOSE_WIDTH = 42
GROUPS = (
    "latents that rebuild samples",
    "latents for classes, groups and neighbours",
    "latents of photos",
    "odd samples",
    "new samples",
    "images cleaned up",
)
"""In the order in which they are shown; others follow, and then those of the user."""
OWN, OTHERS = "your own", "others"
COLUMNS = ("recipe", "purpose", "data", "needs", "lacks", "min", "score")
MORE = """
data: any takes rows of numbers and small images. lacks: latents means that there is nothing to embed.
min: minutes of one core, for the samples of the score; probe: a linear classifier on the latents, test samples.
python -m ae_pipelines.recipes show conv                     all of its options, and its model layer by layer
python -m ae_pipelines.recipes check conv --source=photos    whether it fits these samples
kedro run --pipeline=train --params=recipe=conv              train it
"""


def as_text(found: Sequence[Head]) -> str:
    """One line a recipe, none longer than `WIDTH`."""
    groups = _grouped(found)
    rows = {name: [_cells(head) for head in heads] for name, heads in groups.items()}
    widths = [max(map(len, column)) for column in zip(COLUMNS, *chain(*rows.values()), strict=True)]
    lines = [_line(COLUMNS, widths)]
    for name, cells in rows.items():
        lines += ["", name[:1].upper() + name[1:], *(_line(row, widths) for row in cells)]
    return "\n".join(lines) + "\n" + MORE.rstrip("\n")


def as_data(found: Iterable[Head]) -> list[dict[str, Any]]:
    """The same for programs, with all that heads say."""
    return [asdict(head) | {"file": str(head.file)} for head in found]


def _grouped(found: Iterable[Head]) -> dict[str, list[Head]]:
    groups: dict[str, list[Head]] = {name: [] for name in GROUPS}
    for head in found:
        name = OWN if head.own else head.group or OTHERS
        groups.setdefault(name, []).append(head)
    own = groups.pop(OWN, [])
    return {name: heads for name, heads in [*groups.items(), (OWN, own)] if heads}


def _cells(head: Head) -> tuple[str, ...]:
    needs, lacks = ", ".join(head.needs), ", ".join(head.lacks)
    time = head.length if head.minutes is None else f"{head.minutes:g}"
    score = head.scores[0] if head.scores else ""
    return f"  {head.name}", in_short(head.purpose), head.data, needs, lacks, time, measures(score)


def in_short(purpose: str) -> str:
    """The first sentence; where it is too long, as many of its clauses as there is room for, or words."""
    sentence = re.split(r"\.(?:\s|$)", purpose, maxsplit=1)[0]
    if len(sentence) <= PURPOSE_WIDTH:
        return sentence
    ends = [found.start() for found in re.finditer(r"[:;,]\s| \(", sentence) if found.start() <= PURPOSE_WIDTH]
    return sentence[: ends[-1]] if ends else textwrap.shorten(sentence, PURPOSE_WIDTH, placeholder=" …")


def measures(score: str) -> str:
    """A score without what is in brackets, and without the circumstances: MNIST: probe 0.980, 5-NN 0.983."""
    where, _, what = re.sub(r"\s*\([^)]*\)", "", score).partition(": ")
    return f"{where.partition(',')[0]}: {what.rstrip('.')}" if what else ""


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    *cells, score = cells
    start = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=False)) + "  "
    return (start + _fitting(score, WIDTH - len(start))).rstrip()


def _fitting(score: str, room: int) -> str:
    """As many measures as there is room for."""
    kept, *others = re.split(r"[,;] ", score)
    for one in others:
        if len(kept) + 2 + len(one) > room:
            break
        kept += f", {one}"
    return kept if len(kept) <= room else textwrap.shorten(kept, room, placeholder=" …")
