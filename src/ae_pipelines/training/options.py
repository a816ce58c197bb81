"""How samples become batches, and how a model is trained. Cheap to import."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ByteSize, Field, model_validator

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.base.words import expanded
from ae_pipelines.models.corruptions import CorruptionChoice
from ae_pipelines.models.corruptions.augmentations import augmentation
from ae_pipelines.samples.labels import ClassName
from ae_pipelines.samples.store import Samples

Share = Annotated[float, Field(ge=0, lt=0.9)]

Execution = Literal["eager", "graph", "compiled"]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]
"""auto: CUDA, else Apple's MPS, else the CPU; cuda:1 is the second GPU."""


class LoaderOptions(Options):
    """How samples become batches."""

    batch_size: Annotated[int, Field(gt=0)] = 256
    normal_labels: tuple[ClassName, ...] = ()
    """Train only on samples with one of these labels, so that all others are anomalies to the model; none: on all."""
    corruptions: list[CorruptionChoice] = []
    """Done to the input in this order; the target stays clean."""
    augment: str | None = Field(None, exclude=True)
    """Corruptions by what samples show, done before those given: photos, objects, glyphs, series, table, none. Once
    read, they are the first of `corruptions` and nothing is left here, so a recipe is the same however it was written.
    """
    binarise: bool = False
    """Values in [0, 1] become 0 or 1, drawn with that probability anew in each epoch, before any corruption: the
    binary samples on which likelihoods are compared (Salakhutdinov & Murray 2008)."""
    memory_budget: Annotated[ByteSize, Field(gt=0)] = ByteSize(10**9)
    """Samples that take more are streamed from the store instead of held in memory: 1GB, 500MB, or bytes. On a GPU,
    where this is left as it is, half of the memory that is free there counts instead."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out(cls, given: Any) -> Any:
        if not isinstance(given, dict) or not isinstance(name := given.get("augment"), str):
            return given
        others = given.get("corruptions", [])
        known = augmentation(name)
        return given | {"augment": None, "corruptions": [*known, *others] if isinstance(others, list) else others}

    def streams(self, samples: Samples) -> bool:
        """Whether these samples exceed the memory budget."""
        return samples.stored_bytes > self.memory_budget


class TrainOptions(Options):
    """How a model is trained."""

    steps: Annotated[int, Field(gt=0)] = 5000
    """Batches to learn from (rounded up to whole epochs), so that a recipe fits data sets of any size."""
    epochs: Annotated[int, Field(gt=0)] | None = None
    """If given, it counts instead of `steps`."""
    until_epoch: Annotated[int, Field(gt=0)] | None = None
    """Continue the finished training of the same recipe until it has this many epochs, instead of starting
    afresh. A total, so that a repeated run does not train further; of the last phase, if there are several."""
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of Adam (Kingma & Ba 2015); its peak, if the schedule is not constant."""
    adam_beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """How slowly Adam's mean of gradients forgets; Radford et al. 2016 give 0.5 for GANs."""
    schedule: Literal["constant", "cosine", "one_cycle"] = "constant"
    """cosine: from the peak to zero; one_cycle: up for 30 % of the steps, then down (Smith & Topin 2018)."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled from the gradient when above zero (AdamW, Loshchilov & Hutter 2019)."""
    maximum_gradient_norm: Annotated[float, Field(gt=0)] | None = None
    """Gradients are scaled down to this norm, over all parameters of a player."""
    validation_share: Share = 0.05
    """Share of the train split, picked by content; zero trains on all of it and keeps the last weights."""
    patience: Annotated[int, Field(gt=0)] | None = 10
    """Stop after this many epochs without a lower validation loss."""
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = "auto"
    """bfloat16: autocast in the loss terms; weights and optimiser stay float32. tf32: float32 on a GPU that multiplies
    with 10 bits after the point (NVIDIA, since 2020). auto: bfloat16 where the device has it and a convolutional method
    was shown to learn as well, else tf32 on GPUs that have it, else float32 (`training/precision.py`). A training that
    is taken up, or done again, keeps what it had."""
    device: Device = "auto"
    """Where it is trained, and, if on a GPU, put to use afterwards: auto, cpu, cuda, cuda:1 (the second GPU), mps."""
    execution: Literal["auto", "eager", "graph", "compiled"] = "auto"
    """How a GPU does steps: eager, one operation after another; graph, recorded once and repeated as a whole; compiled,
    recorded after torch.compile has made fewer kernels of it, which takes up to a minute. auto: a graph where the
    method allows it and the first steps show it to be faster. Other devices do them eagerly."""
    deterministic: bool = False
    """On a GPU, use only algorithms that give the same bits each time, so that a training that is taken up ends as an
    uninterrupted one, and one that is done again gives the same. Slower; a few layers have none, which is said."""
    threads: Annotated[int, Field(gt=0)] | None = None
    """CPU threads; None tries a few and takes the fastest."""
    memory_format: Annotated[Literal["auto", "contiguous", "channels_last"], Field(exclude_if="auto".__eq__)] = "auto"
    """How images and the weights of convolutions lie in memory while a model is trained; files are the same. auto: what
    is faster with these threads, tried on a CPU for two seconds at most and remembered (`training/fastest.py`). Either
    rounds differently: a training that is taken up, or done again, keeps what it had."""
    initial_encoder: Annotated[str, AfterValidator(expanded)] | None = None
    """A trained encoder whose weights this one starts from: the folder of an encoder or an autoencoder, the `data_dir`
    of the run that trained it, or an MLflow run in which `embed` ran, runs:/<run id>/encoder (mlflow:<run id>)."""
    freeze_encoder: bool = False
    """Leave the initial encoder as it is, batch norm's statistics too, and train the rest of the model."""
    seed: Annotated[int, Field(ge=0)] = 0
    checkpoint_seconds: Annotated[float, Field(ge=0)] = 15.0
    """At most this much work is lost when the process is killed (checked every 50 steps)."""

    @property
    def also_reads(self) -> list[Path]:
        """Files that are named in fields of other types than Path: the weights of the initial encoder."""
        if self.initial_encoder is None:
            return []
        from ae_pipelines.training.initial_encoder import weights_in

        return weights_in(Path(self.initial_encoder))

    @model_validator(mode="after")
    def _refuse_frozen_noise(self) -> Self:
        if self.freeze_encoder and self.initial_encoder is None:
            raise InputError(
                "freeze_encoder is for a trained encoder, but there is no initial_encoder: give one, or leave it out"
            )
        return self
