"""A recipe: which method learns, from which batches, and how it is trained. Cheap to import."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.base.part_files import ROWS_PER_FILE
from ae_pipelines.models import MODELS, ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import corrupted_spec
from ae_pipelines.samples.spec import LearnedFrom, SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.options import LoaderOptions, TrainOptions
from ae_pipelines.training.suits import AUTO

if TYPE_CHECKING:
    from ae_pipelines.models.method import Method
    from ae_pipelines.training.initial_encoder import InitialEncoder

log = logging.getLogger(__name__)

VALIDATION_PART = 16
"""Streamed validation samples are read again in each epoch, so they take at most the memory budget ÷ this."""


class Recipe(Options):
    """What `conf/base/parameters/recipes/<name>.yml` holds."""

    name: str = "unnamed"
    source: str | None = None
    """Where samples come from when the user does not say."""
    model: ModelChoice
    loader: LoaderOptions = LoaderOptions()
    training: TrainOptions = TrainOptions()

    @property
    def undecided(self) -> bool:
        """Whether it stands for the one that suits the samples, which are yet to be seen."""
        return self.name == AUTO

    def check(self) -> None:
        """Check every chosen part against its maker (imports torch); `InputError` if one does not fit, or if the recipe
        is undecided."""
        self._refuse_undecided()
        for choice in (self.model, *self.loader.corruptions):
            choice.check()
        self.model.check_elsewhere()
        if (initial := self.initial_encoder()) is not None:
            initial.check(self.model)

    def described(self) -> dict[str, Any]:
        """Plain data that makes the same recipe, every option with its default (imports torch); `InputError` if a part
        is unknown or does not take its options, or if the recipe is undecided."""
        self._refuse_undecided()
        source = {} if self.source is None else {"source": self.source}
        loader, training = self.loader.model_dump(mode="json"), self.training.model_dump(mode="json")
        loader["corruptions"] = [choice.described() for choice in self.loader.corruptions]
        return {**source, "model": self.model.described(), "loader": loader, "training": training}

    def _refuse_undecided(self) -> None:
        if self.undecided:
            raise InputError("recipe=auto is for one training: name recipes here, such as recipe=probe")

    def check_ability(self, ability: Literal["encode", "decode"], stage: str) -> None:
        """`InputError` if the method cannot do what a stage needs."""
        if not self.model.can(ability):
            half = {"encode": "encoder", "decode": "decoder"}[ability]
            option = self.model.option_for(ability)
            able = ", ".join(kind for kind in MODELS.kinds() if hasattr(MODELS.maker(kind), ability))
            give = "" if option is None else f"give recipe.model.{option}, or "
            raise InputError(
                f"{self.model.kind} has no {half}, so {stage} cannot run: {give}choose a method with one ({able}), or "
                "run without it, such as ingest and fit alone",
                stages=("ingest", "fit"),
            )

    def initial_encoder(self) -> "InitialEncoder | None":
        """The encoder to start from, if there is one; `InputError` if the method has none, or if it cannot be read."""
        address = self.training.initial_encoder
        if address is None:
            return None
        from ae_pipelines.training.initial_encoder import InitialEncoder

        if not self.model.can("encode"):
            raise InputError(
                f"training.initial_encoder: {self.model.kind} has no encoder that could start from {address}: leave it "
                "out, or choose a method with one, such as autoencoder"
            )
        return InitialEncoder.load(Path(address), self.training.freeze_encoder)

    def starting_from(self, folder: Path | None) -> Self:
        """This recipe with another initial encoder, or with none."""
        changed = {"initial_encoder": str(folder)} if folder else {"initial_encoder": None, "freeze_encoder": False}
        training = self.training.model_copy(update=changed)
        return self.model_copy(update={"training": training})

    def learned_from(self, samples: Samples) -> LearnedFrom:
        """Which of these samples a model learns from; `InputError` if no sample has one of the normal labels."""
        share, normal = self.training.validation_share, self.loader.normal_labels
        if self.loader.streams(samples):  # validation samples are read again in each epoch
            share = min(share, self.loader.memory_budget / VALIDATION_PART / samples.stored_bytes)
        if unknown := sorted({*normal} - {*samples.classes()}):
            raise InputError(
                f"loader.normal_labels: no train sample has the label {first_of(unknown)}; "
                f"there are {first_of(samples.classes()) or 'none'}"
            )
        return LearnedFrom(validation_share=share, normal_labels=normal)

    def task(self, samples: Samples) -> Task:
        """What the model is made for; `InputError` if a corruption cannot take these samples."""
        return self.task_for(samples.spec, samples.classes())

    def task_for(self, spec: SampleSpec, classes: tuple[str, ...] = ()) -> Task:
        """The same for samples like these, with labels of these classes, of which nothing else is known."""
        if self.loader.binarise and not spec.bounded:
            raise InputError("loader.binarise needs images, whose values lie in [0, 1]: leave it out")
        corrupted = corrupted_spec([choice.build() for choice in self.loader.corruptions], spec)
        return Task(samples=spec, input_shape=corrupted.shape, classes=classes)

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if there are too few samples to learn from, none to judge by, or if they do not suit the
        method, which is tried with one small batch of zeros."""
        samples.split_size("test")
        train, learned_from = samples.split_size("train"), self.learned_from(samples)
        seen = samples.seen(learned_from)
        if (learning := np.count_nonzero(seen)) < self.loader.batch_size:
            less = "held out for validation" + (" or without a normal label" if learned_from.normal_labels else "")
            raise InputError(
                f"{learning} train samples ({train} less those {less}) do not fill one batch of "
                f"{self.loader.batch_size}: give more samples or a smaller recipe.loader.batch_size"
            )
        task = self.task(samples)
        model = self.try_out(task)
        from ae_pipelines.training.trial import caution, refuse_too_few_labels

        if (said := caution(self.model, self.loader, model, samples.spec)) is not None:
            log.warning("%s: %s", self.name, said)
        if model.wants_labels:
            refuse_too_few_labels(model, self.model.kind, samples.label_numbers(task.classes)[seen], self.loader)

    def try_out(self, task: Task) -> "Method":
        """A model for this task; `InputError` if the method cannot learn it with these options."""
        from ae_pipelines.training.trial import tried_out

        return tried_out(self.model, self.loader, task, self.initial_encoder())


class EmbedOptions(Options):
    """How samples become latents."""

    errors: bool = True
    """Whether reconstruction errors, for which the decoder is needed, are written beside the latents."""
    rows_per_file: Annotated[int, Field(gt=0)] = ROWS_PER_FILE
    """Up to so many latents are one file; more are a folder of part files."""

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if a model of this recipe has no encoder."""
        recipe.check_ability("encode", "embed")
