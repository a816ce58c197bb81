"""What a trained part promises: the data it was made for, and how to rebuild it without its recipe."""

from typing import Any, Literal

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.samples.spec import LearnedFrom, SampleSpec


class Task(Options):
    """What a model is made for."""

    samples: SampleSpec
    """Spec of what its decoder gives."""
    input_shape: tuple[int, ...]
    """Shape of what its encoder takes; not that of the samples where a corruption changes it."""
    classes: tuple[str, ...] = ()
    """The labels that it may be given, sorted; none where samples have none, or the method wants none."""

    @classmethod
    def plain(cls, samples: SampleSpec, classes: tuple[str, ...] = ()) -> "Task":
        """A task whose encoder takes samples as they are."""
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
    """The sha256 of its contract."""
    frozen: bool
    """Whether training left it as it was."""


class Elsewhere(Options):
    """Where weights come from that were learned on other samples."""

    source: str
    """The package and its version, or a file."""
    sha256: str
    """Of the file."""
    taught_by: str | None = None
    """What they were learned from; None: that is not known here."""

    @property
    def words(self) -> str:
        """A sentence for people, without its end."""
        how = "perhaps with labels" if self.taught_by is None else f"with labels ({self.taught_by})"
        return f"trained elsewhere {how}: weights of {self.source}"


class Contract(Options):
    """The text beside the weights (`contract.json`)."""

    part: Literal["autoencoder", "encoder", "decoder"]
    model: dict[str, Any]
    """Kind and every option, from which the module is rebuilt."""
    task: Task
    corruptions: list[dict[str, Any]]
    """What was done to the samples before the encoder got them."""
    latent_shape: tuple[int, ...]
    """(d,), or (d, height, width) where the latent is a feature map; () for a method without latents."""
    vector_size: int | None = None
    """d of the vectors made of feature maps; None where latents are vectors, and in contracts from before this field,
    where a map's vector is its mean over positions."""
    preprocessing_sha256: str
    samples_id: str
    """Id of the sample store that it was trained on."""
    learned_from: LearnedFrom = LearnedFrom()
    initial_encoder: Origin | None = None
    """The encoder that it started from; None: random weights."""
    elsewhere: Elsewhere | None = None
    """Where the weights were learned that its own started as; None: they were learned from these samples alone."""
    recipe: str
    run_id: str | None = None
    versions: dict[str, str]
    sha256: str = ""
    """Hash of all of the above and of the names, dtypes, shapes and bytes of the tensors."""

    @property
    def samples(self) -> SampleSpec:
        return self.task.samples

    @property
    def latent_size(self) -> int:
        """d: the size of a latent vector, or of what a feature map becomes."""
        return self.vector_size or self.latent_shape[0]
