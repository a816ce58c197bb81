"""What a trained part promises: the data it was made for, and how to rebuild it without its recipe."""

from typing import Any, Literal

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.samples.spec import LearnedFrom, SampleSpec


class Task(Options):
    """What a model is made for."""

    samples: SampleSpec
    """What its decoder gives."""
    input_shape: tuple[int, ...]
    """Of what its encoder takes: another than the samples' where a corruption changes it."""
    classes: tuple[str, ...] = ()
    """The labels that it may be told, sorted; none where samples have none, or the method wants none."""

    @classmethod
    def plain(cls, samples: SampleSpec, classes: tuple[str, ...] = ()) -> "Task":
        """The encoder takes samples as they are."""
        return cls(samples=samples, input_shape=samples.shape, classes=classes)

    @property
    def enlargement(self) -> int:
        """How many times higher and wider images come out than they go in; `InputError` unless a whole number."""
        (height, width), (input_height, input_width) = self.samples.shape[-2:], self.input_shape[-2:]
        times = max(1, round(height / input_height))
        if (height, width) != (times * input_height, times * input_width):
            raise InputError(
                f"{input_height} x {input_width} pixels are to become {height} x {width} (height x width), but images "
                "are enlarged by whole numbers: give source.size and the factor of downscale so that one divides the "
                "other"
            )
        return times


class Origin(Options):
    """The encoder that a training started from."""

    recipe: str
    run_id: str | None
    sha256: str
    """Of its contract."""
    frozen: bool
    """Whether it was left as it was."""


class Contract(Options):
    """The text beside the weights (`contract.json`)."""

    part: Literal["autoencoder", "encoder", "decoder"]
    model: dict[str, Any]
    """Kind and every option: rebuilds the module."""
    task: Task
    corruptions: list[dict[str, Any]]
    """Done to the samples before the encoder saw them."""
    latent_shape: tuple[int, ...]
    """(d,), or (d, height, width) where the latent is a feature map; () of a method without latents."""
    preprocessing_sha256: str
    samples_id: str
    """The sample store that it was trained on."""
    learned_from: LearnedFrom = LearnedFrom()
    initial_encoder: Origin | None = None
    """None: the encoder learned from random weights on."""
    recipe: str
    run_id: str | None = None
    versions: dict[str, str]
    sha256: str = ""
    """Over all of the above and the names, dtypes, shapes and bytes of the tensors."""

    @property
    def samples(self) -> SampleSpec:
        return self.task.samples

    @property
    def latent_size(self) -> int:
        """d, of a latent vector or, for a feature map, of its mean over the positions."""
        return self.latent_shape[0]
