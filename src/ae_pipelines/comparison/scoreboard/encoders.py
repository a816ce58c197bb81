"""What turns samples into latents on the scoreboard: trained recipes, and the controls beside them."""

import json
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Protocol, Self

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.run import Run
from ae_pipelines.latents.file import LatentsFile
from ae_pipelines.latents.pca import pca_stream
from ae_pipelines.latents.stream import LatentBlock, LatentStream
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe

log = logging.getLogger(__name__)

ROWS_PER_PASS = 4096
LATENTS = "latents.parquet"


class ScoreboardEncoder(Protocol):
    """Something that gives latents."""

    @property
    def name(self) -> str:
        """Its name on the board."""
        ...

    @property
    def control(self) -> bool:
        """Whether recipes are compared with it."""
        ...

    @property
    def learns(self) -> bool:
        """Whether it depends on the samples that it gets."""
        ...

    def description(self, beside: Path) -> Any:
        """Plain data that, with samples, seed and normal labels, decide on everything it gives; `beside` holds what
        other encoders of the board made with the same seed."""
        ...

    def stream(
        self, samples: Samples, seed: int, normal_labels: tuple[str, ...], folder: Path, run: Run
    ) -> LatentStream:
        """Latents of all samples, made in `run`; `folder` may hold what an interrupted training left."""
        ...


@dataclass(frozen=True)
class Trained:
    """A recipe that is trained."""

    name: str
    recipe: Recipe
    control = False
    learns = True

    @property
    def starts_elsewhere(self) -> bool:
        """Whether it was trained on other samples, before it is on these."""
        return self.recipe.model.starts_elsewhere

    def description(self, beside: Path) -> Any:
        used = [LatentsFile(beside / name / LATENTS).encoder for name in self.stands_on()]
        return ["trained", self.recipe.model_dump(mode="json"), *used]

    def stands_on(self) -> list[str]:
        """The recipes of the board whose latents this one uses."""
        return re.findall(r"\{beside\}/([^/]+)/", json.dumps(self.recipe.model_dump(mode="json")))

    def stream(
        self, samples: Samples, seed: int, normal_labels: tuple[str, ...], folder: Path, run: Run
    ) -> LatentStream:
        from ae_pipelines.training import loop
        from ae_pipelines.training.checkpoints import CheckpointFile
        from ae_pipelines.training.embedding import latent_stream

        recipe = of_labels(self._of(seed, folder), normal_labels)
        recipe.check_samples(samples)
        started, cpu = time.monotonic(), time.process_time()
        trained, _ = loop.train(samples, recipe, CheckpointFile(folder / "training.checkpoint"), run)
        spent = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        trained.save(folder / "autoencoder")
        stream = latent_stream(trained, samples)
        about = {f"training_{name}": str(value) for name, value in spent.items()}
        return LatentStream(stream.ids, stream.blocks, stream.metadata | about)

    def _of(self, seed: int, folder: Path) -> Recipe:
        """The recipe with this seed; `{beside}` in its texts becomes the folder of what other recipes of the board
        made with the same seed."""
        plain = _with_text(self.recipe.model_dump(mode="json"), "{beside}", str(folder.parent))
        plain["training"]["seed"] = seed
        return Recipe.model_validate(plain)


@dataclass(frozen=True)
class Patches(Trained):
    """Patches of images, which learn without gradients, with as many latents as a recipe."""

    control = True

    @classmethod
    def suiting(cls, samples: Samples, latent_size: int, one_class: bool) -> Self | None:
        """None if the samples are no images of which it can make so many latents; `one_class`: it may be taught by the
        samples of a single class."""
        from ae_pipelines.comparison.untrained import patches_recipe

        train = least = len(samples.positions("train"))
        if one_class:
            labels = samples.label_counts()
            least = int(labels[labels.index.get_level_values("split") == "train"].min())
        try:
            recipe = patches_recipe(samples.spec, latent_size, train, least)
        except InputError as error:
            log.info("without the control patches: %s", error)
            return None
        return cls(f"patches, d = {latent_size}", recipe)


@dataclass(frozen=True)
class Untrained:
    """A recipe's model with random weights; what has a closed form it has learned."""

    name: str
    recipe: Recipe
    control = True
    learns = True

    def description(self, beside: Path) -> Any:
        plain = self.recipe.model_dump(mode="json")
        return ["untrained", plain["model"], plain["loader"]["corruptions"]]

    def stream(
        self, samples: Samples, seed: int, normal_labels: tuple[str, ...], folder: Path, run: Run
    ) -> LatentStream:
        import torch

        from ae_pipelines.training.embedding import latent_stream
        from ae_pipelines.training.loaders import loaders
        from ae_pipelines.training.trained import TrainedModel

        recipe = of_labels(self.recipe, normal_labels)
        task = recipe.task(samples)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = recipe.model.build(task).eval()
            if model.completes:
                train, _ = loaders(samples, recipe, model, torch.device("cpu"))
                with torch.no_grad():
                    model.complete(train)
        return latent_stream(TrainedModel.of(model, recipe, task, samples, run=run), samples)


@dataclass(frozen=True)
class PrincipalComponents:
    """PCA of the train split, with its reconstruction errors."""

    components: int
    control = True
    learns = True

    @property
    def name(self) -> str:
        return f"PCA, d = {self.components}"

    def description(self, beside: Path) -> Any:
        return ["pca", self.components]

    def stream(
        self, samples: Samples, seed: int, normal_labels: tuple[str, ...], folder: Path, run: Run
    ) -> LatentStream:
        return pca_stream(samples, self.components, LearnedFrom(normal_labels=normal_labels), seed)


@dataclass(frozen=True)
class RawValues:
    """Samples as they are, each value a latent."""

    name = "raw values"
    control = True
    learns = False

    def description(self, beside: Path) -> Any:
        return ["raw values"]

    def stream(
        self, samples: Samples, seed: int, normal_labels: tuple[str, ...], folder: Path, run: Run
    ) -> LatentStream:
        about = {"encoder": "raw values", "samples_id": samples.id, "normal_labels": json.dumps(normal_labels)}
        metadata = about | {"encoder_sha256": canonical_sha256(about)}
        return LatentStream(
            samples.identities(LearnedFrom(normal_labels=normal_labels)), _raw_blocks(samples), metadata
        )


def _raw_blocks(samples: Samples) -> Iterator[LatentBlock]:
    for values in samples.blocks(ROWS_PER_PASS):
        yield LatentBlock(samples.spec.as_input(values.reshape(len(values), prod(samples.spec.shape))))


def of_labels(recipe: Recipe, normal_labels: tuple[str, ...]) -> Recipe:
    """The recipe, learning from samples with these labels alone; as it is, if there are none."""
    if not normal_labels:
        return recipe
    return recipe.model_copy(update={"loader": recipe.loader.model_copy(update={"normal_labels": normal_labels})})


def on_its_own(recipe: Recipe) -> Recipe:
    """The recipe as it can be checked before others of the board are trained: not starting from an encoder of
    theirs."""
    if "{beside}" not in (recipe.training.initial_encoder or ""):
        return recipe
    training = recipe.training.model_copy(update={"initial_encoder": None, "freeze_encoder": False})
    return recipe.model_copy(update={"training": training})


def _with_text(plain: Any, old: str, new: str) -> Any:
    """Nested data with `old` replaced in every text."""
    if isinstance(plain, dict):
        return {key: _with_text(value, old, new) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_with_text(value, old, new) for value in plain]
    return plain.replace(old, new) if isinstance(plain, str) else plain
