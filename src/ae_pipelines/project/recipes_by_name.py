"""Recipes by name; a run reads the one that is picked, and the others when it asks for them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from ae_pipelines.training.suits import AUTO

FILES = "parameters*/recipes/**"
"""The pattern of recipe files, one of those in `settings.py`."""
UNDECIDED = {"model": {"kind": "autoencoder"}}
"""Stands for the recipe that suits the samples, until they are seen (`suiting.py`)."""


class Recipes(Mapping[str, Any]):
    """Recipes by name: those at hand, and all that `read` gives, which is called for another one or to go through
    them."""

    def __init__(self, at_hand: Mapping[str, Any], read: Callable[[], Mapping[str, Any]]) -> None:
        self._at_hand, self._read = at_hand, read

    @cached_property
    def _all(self) -> Mapping[str, Any]:
        return self._read()

    def __getitem__(self, name: str) -> Any:
        return self._at_hand[name] if name in self._at_hand else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def or_auto(self) -> "Recipes":
        """These, and the one that is yet to be found."""
        auto = {AUTO: UNDECIDED}
        return Recipes(auto | dict(self._at_hand), lambda: auto | dict(self._all))


def only_that_of(name: str, patterns: Iterable[str], folder: str, glob: Callable[[str], list[str]]) -> list[str]:
    """The patterns of parameter files below a folder, but of recipe files only the one called like this recipe."""
    named = [path for path in glob(f"{Path(folder).as_posix()}/{FILES}") if Path(path).stem == name]
    others = [pattern for pattern in patterns if pattern != FILES]
    return others + [Path(path).relative_to(Path(folder).absolute()).as_posix() for path in named]
