"""One registered version of the models, as it is fetched to be used."""

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import content
from ae_pipelines.scoring.model import ScoringModel

MODELS, VERSION = "models", "version.json"


@dataclass(frozen=True)
class Version:
    """Which models made a score."""

    name: str
    """Of the registered model."""
    number: int
    content: str
    """sha256 of what was learned: numbers start again in another registry."""

    def __str__(self) -> str:
        return f"{self.name} version {self.number}"

    @property
    def folder_name(self) -> str:
        """For what this version makes."""
        return f"{self.name}-v{self.number}-{self.content[:8]}"


@dataclass(frozen=True)
class Fetched:
    """A version's models in some folder, about to be kept, so that a run does not change models midway."""

    models: ScoringModel
    version: Version
    copy: TemporaryDirectory | None = None
    """Where they lie until then, and which is gone with this."""

    def into(self, folder: Path) -> None:
        """Keep them there, with what version they are."""
        with seals.replacing_folder(folder) as new:
            self.models.into(new / MODELS)
            atomic.write_text(new / VERSION, json.dumps(asdict(self.version), indent=2))


class RegisteredModel:
    """What `Fetched.into` kept."""

    def __init__(self, folder: Path) -> None:
        seals.check(folder, "run collect again", stages=("collect",))
        try:
            self.version = Version(**json.loads(content(folder / VERSION)))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise InputError(f"no models in {folder} ({error}): run score first", stages=("score",)) from error
        self._folder = folder

    @cached_property
    def models(self) -> ScoringModel:
        """Verified."""
        models = ScoringModel(self._folder / MODELS)
        if models.contract.content != self.version.content:
            raise InputError(f"{self._folder} holds other models than {self.version}: run collect again")
        return models
