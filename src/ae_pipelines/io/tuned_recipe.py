"""A tuned recipe as a file that is picked by its name."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import yaml  # type: ignore[import-untyped]
from kedro.io import AbstractDataset, DatasetError

from ae_pipelines.base import atomic
from ae_pipelines.base.skipped import NotAskedFor
from ae_pipelines.training.recipe import Recipe

log = logging.getLogger(__name__)

SEAL = "# written by tune, which replaces this file as long as nobody has changed it: "
"""What the first line begins with; a hash of all other lines follows."""
WIDTH = 120


@dataclass(frozen=True)
class TunedRecipe:
    """A recipe that a study has found."""

    of: str
    """Name of the recipe as it was."""
    recipe: Recipe
    about: list[str]
    """What is said of it on top, line by line."""

    def name(self, number: int) -> str:
        """By which it is picked: the first, or another beside files that are not to be replaced."""
        return f"{self.of}_tuned" + (f"_{number}" if number > 1 else "")

    def text(self, number: int) -> str:
        """The file, with only what differs from defaults."""
        name = self.name(number)
        fields = self.recipe.model_dump(mode="json", exclude_defaults=True, exclude={"name"})
        body = yaml.safe_dump(
            _escaped({"recipes": {name: fields}}),
            sort_keys=False,
            default_flow_style=None,
            allow_unicode=True,
            width=WIDTH,
        )
        about = [*self.about, f"To use it: kedro run --pipeline=train --params={_typed(name)}"]
        rest = "".join(f"# {' '.join(line.split())}\n" for line in about) + body
        return f"{SEAL}{_hash(rest)}\n{rest}"


class TunedRecipeDataset(AbstractDataset[TunedRecipe, Any]):
    """Recipes that were tuned, in a folder that Kedro's configuration reads: `<recipe>_tuned.yml`.

    A file there is replaced only if tune wrote it for the same recipe and nobody has changed it since; beside others
    the new one becomes `<recipe>_tuned_2.yml`, and so on.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """`filepath` is the folder."""
        self._folder = Path(filepath)
        self._filepath: Path | None = None
        self.metadata = metadata

    def load(self) -> NoReturn:
        raise DatasetError("a tuned recipe is read with Kedro's configuration: --params=recipe=<recipe>_tuned")

    def save(self, data: TunedRecipe | NotAskedFor) -> None:
        if isinstance(data, NotAskedFor):
            return
        number, path = next(
            place for place in _places(self._folder, data) if _replaceable(place[1], data.name(place[0]))
        )
        if path.exists():
            log.info("tune: %s takes the place of what an earlier study wrote there", path)
        atomic.write_text(path, data.text(number))
        self._filepath = path

    def _exists(self) -> bool:
        return False  # whose recipe it would be is known only to who saves one

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}


def _places(folder: Path, tuned: TunedRecipe) -> Iterator[tuple[int, Path]]:
    number = 1
    while True:
        yield number, folder / f"{atomic.file_name(tuned.name(number))}.yml"
        number += 1


def _replaceable(path: Path, name: str) -> bool:
    """Whether there is nothing, or just what was written there for a recipe of this name."""
    if not path.exists():
        return True
    seal, _, rest = path.read_text(encoding="utf-8", errors="replace").partition("\n")
    return seal == f"{SEAL}{_hash(rest)}" and [*yaml.safe_load(rest)["recipes"]] == [name]


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _typed(name: str) -> str:
    """How the recipe is picked after `--params`."""
    if re.fullmatch(r"[\w.-]+", name):
        return f"recipe={name}"
    quoted = name.replace("'", "''")
    return f'''"recipe='{quoted}'"'''


def _escaped(plain: Any) -> Any:
    """Nested data in which OmegaConf finds no references."""
    if isinstance(plain, dict):
        return {key: _escaped(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_escaped(value) for value in plain]
    return plain.replace("${", "\\${") if isinstance(plain, str) else plain
