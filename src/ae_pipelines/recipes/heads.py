"""Heads of recipe files: what the comment that a file opens with says of its recipe. Imports next to nothing.

A head is prose that opens with the purpose, then scores, each with the samples it was measured on before a colon
(`MNIST, three seeds: probe 0.980, ...`), then one line of facts, any of which may be missing:

    # Group: new samples. Data: images. Needs: labels. Lacks: encoder. Minutes: 6.

Group: what it is for. Data: any, images, photos or tables. Needs: labels, or a package. Lacks: encoder, decoder, or
latents, which are both. Minutes: of one core, with the samples of the first score.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import content

BASE = "base"
"""The folder of configuration that comes with the project."""
ENDINGS = (".yml", ".yaml")
FACTS = ("Group", "Data", "Needs", "Lacks", "Minutes")
FACT = re.compile(rf"({'|'.join(FACTS)}): (\d+(?:\.\d+)?|[^.]+)\.\s*")
SCORE = re.compile(r"[\w-]+(?: \([^)]*\))?(?:, [^:.;]+)?: [^:\n]*\d")
"""How a score begins: `CIFAR-10 (20,000 train images): error ÷ 1.3`."""
SENTENCE = re.compile(rf"(?<=\.)\s+(?=[A-Z`])|\n(?={SCORE.pattern})")
"""Where a sentence ends; a score has a line of its own, whatever is before it."""

LARGEST = 2**20
"""Most bytes of a file of parameters."""
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Head:
    """What is said of a recipe."""

    name: str
    file: Path
    own: bool
    """Whether it is the user's: the project has no recipe of this name."""
    length: str
    """How long it trains, such as 3,000 steps; empty: as long as steps are by default."""
    purpose: str = ""
    scores: list[str] = field(default_factory=list)
    group: str = ""
    data: str = ""
    needs: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    minutes: float | None = None


def heads(configuration: Path, environment: str) -> list[Head]:
    """Of all recipes that runs would find, by name: those of the folder `base`, and those of `environment`, which may
    change them."""
    found: dict[str, Head] = {}
    for folder in dict.fromkeys((BASE, environment)):
        for file in _files(configuration / folder):
            for head in _of_file(file):
                before = found.get(head.name)
                silent = before is not None and not head.purpose and not head.scores
                own = folder != BASE and (before is None or before.own)
                found[head.name] = replace(before if silent and before else head, own=own, file=file)
    return [found[name] for name in sorted(found)]


def _files(folder: Path) -> Iterator[Path]:
    """Where Kedro looks for parameters."""
    for path in sorted(folder.rglob("*")):
        within = path.relative_to(folder)
        if path.suffix in ENDINGS and any(part.startswith("parameters") for part in within.parts):
            yield path


def _of_file(file: Path) -> Iterator[Head]:
    try:
        text = content(file, LARGEST).decode()
        if "recipes:" not in text:
            return
        recipes = (yaml.load(text, Loader) or {}).get("recipes") or {}
        if not isinstance(recipes, dict):
            raise AttributeError("recipes are no mapping")
    except (yaml.YAMLError, AttributeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"{file} is no YAML of parameters ({' '.join(str(error).split())}): mend it") from error
    opening = _comment(text.splitlines()) if len(recipes) == 1 else ""
    for name, recipe in recipes.items():
        yield parsed(opening, Head(str(name), file, False, _length(recipe)))


def _comment(lines: Iterable[str]) -> str:
    """The lines of comment that a file opens with."""
    found = []
    for line in lines:
        if not line.startswith("#"):
            break
        found.append(line.removeprefix("#").strip())
    return "\n".join(found)


def parsed(comment: str, head: Head) -> Head:
    """The head with what a comment says, its lines without their sign."""
    facts = dict(FACT.findall(comment))
    prose = SENTENCE.split(FACT.sub("", comment).strip())
    sentences = [(" ".join(one.split()), SCORE.match(one) is not None) for one in prose if one.strip()]
    return replace(
        head,
        purpose=" ".join(one for one, is_score in sentences if not is_score),
        scores=[one for one, is_score in sentences if is_score],
        group=facts.get("Group", ""),
        data=facts.get("Data", ""),
        needs=_listed(facts.get("Needs")),
        lacks=_listed(facts.get("Lacks")),
        minutes=_number(facts.get("Minutes")),
    )


def _listed(text: str | None) -> list[str]:
    return text.split(", ") if text else []


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _length(recipe: Any) -> str:
    training = recipe.get("training") if isinstance(recipe, dict) else None
    for unit in ("epochs", "steps"):
        if isinstance(training, dict) and isinstance(count := training.get(unit), int):
            return f"{count:,} {unit}"
    return ""
