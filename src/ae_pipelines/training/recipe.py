"""A recipe: which method learns, from which batches, and how it is trained. Cheap to import."""

import re
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import BeforeValidator, ByteSize, Field, model_validator

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.models import MODELS, ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import CorruptionChoice, corrupted_spec
from ae_pipelines.samples.spec import LearnedFrom
from ae_pipelines.samples.store import Samples

if TYPE_CHECKING:
    from torch import Tensor

    from ae_pipelines.models import Player
    from ae_pipelines.models.batch import Batch
    from ae_pipelines.models.method import Method
    from ae_pipelines.training.initial_encoder import InitialEncoder

Share = Annotated[float, Field(ge=0, lt=0.9)]
VALIDATION_PART = 16
"""Of streamed samples, validation ones are read again in each epoch: at most this part of the memory budget."""
RUN = re.compile(r"(?:runs:/|mlflow:)(?P<id>[^/]+)(?:/(?P<artifact>.+))?")
"""How an MLflow run is named where a folder may be; the artifact is `encoder` unless it says otherwise."""


class LoaderOptions(Options):
    """How samples become batches."""

    batch_size: Annotated[int, Field(gt=0)] = 256
    normal_labels: tuple[Annotated[str, BeforeValidator(str)], ...] = ()
    """Train on the samples with one of these labels alone, so that all others are odd to the model; none: on all."""
    corruptions: list[CorruptionChoice] = []
    """Done to the input in this order; the target stays clean."""
    binarise: bool = False
    """Values in [0, 1] become 0 or 1, drawn with that probability anew in each epoch, before any corruption: the
    binary samples on which likelihoods are compared (Salakhutdinov & Murray 2008)."""
    memory_budget: Annotated[ByteSize, Field(gt=0)] = ByteSize(10**9)
    """Samples that take more are streamed from the store instead of held in memory: 1GB, 500MB, bytes."""

    def streams(self, samples: Samples) -> bool:
        """Whether these samples are more than the budget."""
        return samples.stored_bytes > self.memory_budget


class TrainOptions(Options):
    """How a model is trained."""

    steps: Annotated[int, Field(gt=0)] = 5000
    """Batches to learn from (rounded up to whole epochs), so that a recipe fits data sets of any size."""
    epochs: Annotated[int, Field(gt=0)] | None = None
    """Given, it counts instead of `steps`."""
    until_epoch: Annotated[int, Field(gt=0)] | None = None
    """Go on with the finished training of the same recipe until it has so many epochs, instead of starting
    afresh. A total, so that a run that is repeated does not train further; of the last phase, if there are several."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Of Adam (Kingma & Ba 2015); the peak, when the schedule is not constant."""
    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """How slowly Adam's mean of gradients forgets; Radford et al. 2016 give 0.5 for GANs."""
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
    initial_encoder: str | None = None
    """A trained encoder whose weights this one starts from: the folder of an encoder or an autoencoder, the `data_dir`
    of the run that trained it, or an MLflow run in which `embed` ran, runs:/<run id>/encoder (mlflow:<run id>)."""
    freeze_encoder: bool = False
    """Leave the initial encoder as it is, batch norm's statistics too, and train what is left of the model."""
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 15.0
    """At most this much work is lost when the process is killed (checked every 50 steps)."""

    @model_validator(mode="after")
    def _refuse_frozen_noise(self) -> Self:
        if self.freeze_encoder and self.initial_encoder is None:
            raise InputError(
                "freeze_encoder is for a trained encoder, but there is no initial_encoder: give one, or leave it out"
            )
        return self


class Recipe(Options):
    """What `conf/base/parameters/recipes/<name>.yml` holds."""

    name: str = "unnamed"
    source: str | None = None
    """Where samples come from when the user does not say."""
    model: ModelChoice
    loader: LoaderOptions = LoaderOptions()
    training: TrainOptions = TrainOptions()

    def check(self) -> None:
        """Hold every chosen part against its maker (imports torch); `InputError` if one does not fit."""
        for choice in (self.model, *self.loader.corruptions):
            choice.check()
        if (initial := self.initial_encoder()) is not None:
            initial.check(self.model)

    def check_ability(self, ability: Literal["encode", "decode"], stage: str) -> None:
        """`InputError` if the method cannot do what a stage needs."""
        if not hasattr(MODELS.maker(self.model.kind), ability):
            half = {"encode": "encoder", "decode": "decoder"}[ability]
            able = ", ".join(kind for kind in MODELS.kinds() if hasattr(MODELS.maker(kind), ability))
            raise InputError(
                f"{self.model.kind} has no {half}, so {stage} cannot run: choose a method with one ({able}), or run "
                "without it, such as ingest and fit alone",
                stages=("ingest", "fit"),
            )

    def initial_encoder(self) -> "InitialEncoder | None":
        """The encoder to start from, if there is one; `InputError` if the method has none, or if it cannot be read."""
        address = self.training.initial_encoder
        if address is None:
            return None
        from ae_pipelines.training.initial_encoder import InitialEncoder

        if not hasattr(MODELS.maker(self.model.kind), "encode"):
            raise InputError(
                f"training.initial_encoder: {self.model.kind} has no encoder that could start from {address}: leave it "
                "out, or choose a method with one, such as autoencoder"
            )
        if RUN.fullmatch(address):
            raise InputError(
                f"training.initial_encoder: {address} is an MLflow run, whose encoder is fetched when a "
                "pipeline runs; elsewhere give a folder"
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
        spec = samples.spec
        if self.loader.binarise and not spec.bounded:
            raise InputError("loader.binarise needs images, whose values lie in [0, 1]: leave it out")
        corrupted = corrupted_spec([choice.build() for choice in self.loader.corruptions], spec)
        return Task(samples=spec, input_shape=corrupted.shape, classes=samples.classes())

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if there are too few samples to learn from, none to judge by, or if they do not suit the
        method: found by one small batch of zeros."""
        samples.positions("test")
        train, learned_from = len(samples.positions("train")), self.learned_from(samples)
        learning = np.flatnonzero(samples.seen(learned_from))
        left = len(learning)
        if left < self.loader.batch_size:
            less = "held out for validation" + (" or without a normal label" if learned_from.normal_labels else "")
            raise InputError(
                f"{left} train samples ({train} less those {less}) do not fill one batch of "
                f"{self.loader.batch_size}: give more samples or a smaller recipe.loader.batch_size"
            )
        task = self.task(samples)
        model = self.check_task(task)
        if model.wants_labels:
            teaching = int(model.learns_from(_numbers(samples, task)[learning]).sum())
            if teaching < self.loader.batch_size:
                raise InputError(
                    f"{self.model.kind} can learn from {teaching} of {left} train samples only (others have no label, "
                    f"or one that is kept from it), too few for a batch of {self.loader.batch_size}: give more labels "
                    "or a smaller recipe.loader.batch_size"
                )

    def check_task(self, task: Task) -> "Method":
        """The model; `InputError` if the method cannot learn this with these options."""
        import torch

        from ae_pipelines.models.batch import Batch

        with torch.random.fork_rng():
            model = self.model.build(task)
        if (initial := self.initial_encoder()) is not None:
            initial.give_to(model)
        count = min(2, self.loader.batch_size)
        shown, target = torch.zeros(count, *task.input_shape), torch.zeros(count, *task.samples.shape)
        batch = Batch(shown, target, torch.arange(count), torch.zeros(count, dtype=torch.int64), shown, 0)
        if model.wants_layout is not None:
            batch = replace(batch, layout=torch.zeros(count, model.wants_layout.components))
        with torch.no_grad(), torch.random.fork_rng():
            for player in (player for phase in model.phases() for player in phase.players):
                self._try(player, batch)
            latent = model.eval().encode(shown)[0].numel() if hasattr(model, "encode") else 0
        if self.loader.corruptions and not model.takes_corruptions:
            raise InputError(f"{self.model.kind} does not look at corrupted inputs: leave loader.corruptions out")
        if model.undoes_corruptions and not self.loader.corruptions:
            raise InputError(
                f"{self.model.kind} learns to undo corruptions, but loader.corruptions is empty: give what is to be "
                "undone, such as [{kind: gaussian_noise, noise_level: 0.1, clip: true}]"
            )
        if model.wants_second_view and not self.loader.corruptions:
            raise InputError(
                f"{self.model.kind} learns from two corrupted views of each sample, but loader.corruptions is empty: "
                "give one, such as [{kind: gaussian_noise}]"
            )
        if model.may_copy and not self.loader.corruptions and latent >= prod(task.input_shape):
            raise InputError(
                f"{latent} latents for samples of {prod(task.input_shape)} values: {self.model.kind} would learn to "
                f"copy them. Give model.latent_size below {prod(task.input_shape)}, or a corruption, or a penalty"
            )
        return model

    def _try(self, player: "Player", batch: "Batch") -> None:
        try:
            player.terms(batch)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):  # torch's, of batch norm
                raise
            raise InputError(
                f"batch norm cannot learn from one value a channel, in {player.name}, with "
                f"batches of {self.loader.batch_size}: give a larger loader.batch_size, larger images or less channels"
            ) from error


def _numbers(samples: Samples, task: Task) -> "Tensor":
    import torch

    return torch.from_numpy(samples.label_numbers(task.classes))


class EmbedOptions(Options):
    """How samples become latents."""

    errors: bool = True
    """Whether reconstruction errors, for which the decoder is needed, are written beside the latents."""

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if a model of this recipe has no encoder."""
        recipe.check_ability("encode", "embed")
