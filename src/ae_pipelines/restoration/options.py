"""Options of the stage `restore`. Cheap to import."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe

if TYPE_CHECKING:
    from ae_pipelines.restoration.encoded import EncodedImages

TEST_SAMPLES = 1000
"""Test samples that are restored if no images are given."""


class RestoreOptions(Options):
    """Which images are restored."""

    input: Path | None = None
    """Corrupted images: a folder, at any depth, an image file, or a parquet file with a column of encoded images;
    None: samples of the test split, corrupted as in training, so that everything can be measured."""
    image_column: str = "image"
    """Column of a parquet file: bytes, or a struct with a field `bytes` (and perhaps `path`, the name)."""
    clean: Path | None = None
    """A folder with what the given images should become, by the same names (any extension)."""
    corrupt: bool = False
    """The given images are clean: they are corrupted as in training first, and the corrupted ones kept, too."""
    limit: Annotated[int, Field(gt=0)] | None = None
    """Most images to restore; None: all that are given, or 1,000 of the test split."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the corruption."""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.input is None and (self.clean is not None or self.corrupt):
            raise ValueError("clean and corrupt are about given images: give input=<folder or parquet file>, too")
        if self.clean is not None and self.corrupt:
            raise ValueError("with corrupt, the given images are the clean ones: leave clean out")
        return self

    def check(self) -> None:
        """`InputError` if what is given is not there, or holds no images."""
        if self.input is not None and not self.input.exists():
            raise InputError(f"restore.input: nothing at {self.input}: give a folder of images, or a parquet file")
        if self.clean is not None and not self.clean.is_dir():
            raise InputError(f"restore.clean: no folder {self.clean}: give one with clean images, or leave it out")
        if self.input is not None:
            self.encoded_images(self.input)

    def encoded_images(self, place: Path, written: Path | None = None) -> "EncodedImages":
        """The images at `place`, except those in the folder `written`; `InputError` if there are none."""
        from ae_pipelines.restoration.encoded import encoded_images

        return encoded_images(
            place, image_column=self.image_column, clean=self.clean, limit=self.limit, written=written
        )

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if a model of this recipe cannot restore anything."""
        model = recipe.model
        able = model.can("restore") or (model.can("encode") and model.can("decode"))
        if not able or not recipe.loader.corruptions:
            why = "has no corruption to undo" if able else f"is a {model.kind}, which gives no images"
            raise InputError(
                f"recipe {recipe.name} {why}, so restore cannot run: choose one such as denoise_photos, "
                "enlarge_photos, colour_photos, unmark_photos, fill_photos"
            )

    def check_samples(self, samples: Samples) -> None:
        """`InputError` unless they are images."""
        if not samples.spec.bounded or len(samples.spec.shape) != 3 or samples.spec.shape[0] not in (1, 3):
            raise InputError(
                f"restore works on images of one or three channels, given samples of shape {samples.spec.shape} "
                f"({samples.spec.dtype}): take a source of images"
            )

    def check_shapes(self, task: Task) -> None:
        """`InputError` if images for this task do not become larger by a whole number."""
        _ = task.enlargement  # raises
