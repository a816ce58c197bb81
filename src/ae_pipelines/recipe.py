"""A recipe: which method learns, from which batches, and how it is trained. Cheap to import."""

from typing import Annotated, Literal

from pydantic import ByteSize, Field

from ae_pipelines.corruptions import CorruptionChoice
from ae_pipelines.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.options import Options
from ae_pipelines.samples import Samples

Share = Annotated[float, Field(ge=0, lt=0.9)]


class LoaderOptions(Options):
    """How samples become batches."""

    batch_size: Annotated[int, Field(gt=0)] = 256
    corruptions: list[CorruptionChoice] = []
    """Done to the input in this order; the target stays clean."""
    memory_budget: Annotated[ByteSize, Field(gt=0)] = ByteSize(10**9)
    """Samples that take more are streamed from the store instead of held in memory: 1GB, 500MB, bytes."""

    def streams(self, samples: Samples) -> bool:
        """Whether these samples are more than the budget."""
        return len(samples) * samples.spec.sample_bytes > self.memory_budget


class TrainOptions(Options):
    """How a model is trained."""

    steps: Annotated[int, Field(gt=0)] = 5000
    """Batches to learn from (rounded up to whole epochs), so that a recipe fits data sets of any size."""
    epochs: Annotated[int, Field(gt=0)] | None = None
    """Given, it counts instead of `steps`."""
    until_epoch: Annotated[int, Field(gt=0)] | None = None
    """Go on with the finished training of the same recipe until it has so many epochs, instead of starting
    afresh. A total, so that a run that is repeated does not train further."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of Adam (Kingma & Ba 2015); the peak, when the schedule is not constant."""
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    """cosine: from the peak to zero; one_cycle: up for 30 % of the steps, then down (Smith & Topin 2018)."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled from the gradient when above zero (AdamW, Loshchilov & Hutter 2019)."""
    maximum_gradient_norm: Annotated[float, Field(gt=0)] | None = None
    """Gradients are scaled down to this norm, over all parameters of a player."""
    validation_share: Share = 0.05
    """Of the train split, picked by content; zero trains on all of it and keeps the last weights."""
    patience: Annotated[int, Field(gt=0)] | None = 10
    """Stop after so many epochs without a lower validation loss."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16: autocast in the loss terms; weights and optimiser stay float32."""
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: Annotated[int, Field(gt=0)] | None = None
    """CPU threads; None tries a few and takes the fastest."""
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 15.0
    """At most this much work is lost when the process is killed (checked every 50 steps)."""


class Recipe(Options):
    """What `conf/base/parameters/recipes/<name>.yml` holds."""

    name: str = "unnamed"
    model: ModelChoice
    loader: LoaderOptions = LoaderOptions()
    training: TrainOptions = TrainOptions()

    def check(self) -> None:
        """Hold every chosen part against its maker (imports torch); `InputError` if one does not fit."""
        for choice in (self.model, *self.loader.corruptions):
            choice.check()

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if there are too few samples to learn from, or none to judge by."""
        samples.rows("test")
        train = samples.rows("train")
        left = len(train) - int(samples.held_out(self.training.validation_share).sum())
        if left < self.loader.batch_size:
            raise InputError(
                f"{left} train samples ({len(train)} less those held out for validation) do not fill one batch of "
                f"{self.loader.batch_size}: give more samples or a smaller recipe.loader.batch_size"
            )
