"""What ONNX files promise: the text beside them (`contract.json`)."""

from typing import Annotated, Literal

from pydantic import Field

from ae_pipelines.base.options import Options
from ae_pipelines.samples.spec import SampleSpec

OnnxPart = Literal["encoder", "decoder", "scorer"]

CONTRACT = "contract.json"
FEATURES = "features.py"
"""The file beside the others that makes `raw` of rows whose columns are of several types."""


class Value(Options):
    """An input or output."""

    name: str
    dtype: str
    """numpy's name of the type."""
    shape: tuple[int | str, ...]
    """The first axis is `batch`, of any size."""


class Parity(Options):
    """How an output compares with that of the models it was made from, on real samples. One of the first two is
    given."""

    difference: float | None = None
    """The largest difference, near ties left out, relative to the largest absolute value of that output."""
    equal_share: float | None = None
    """Share of equal rows, for outputs compared exactly: numbers of groups and classes, alarms."""
    near_ties: int = 0
    """Rows that differ, but where the model itself gives that answer for a latent that differs by rounding."""


class OnnxFile(Options):
    """One file of the folder."""

    file: Annotated[str, Field(pattern=r"^[a-z]+\.onnx$")]
    takes: tuple[Value, ...]
    gives: tuple[Value, ...]
    parity: dict[str, Parity]
    """How each output compares, by name."""
    sha256: str


class OnnxContract(Options):
    """The text beside the files, written last."""

    files: dict[OnnxPart, OnnxFile]
    left_out: dict[OnnxPart, str]
    """Why each missing file was left out."""
    samples: SampleSpec
    """As they are stored; what `preprocessing` says of range, mean and standard deviation is done inside the files,
    what it says of treatments of columns by `FEATURES`, which then lies beside them."""
    latent_shape: tuple[int, ...]
    """(d,), or (d, height, width) where the latent is a feature map."""
    classes: tuple[str, ...]
    """The name of each class number; none without a classifier."""
    groups: int
    """How many clusters there are; -1 is noise."""
    anomaly_threshold: float
    """Scores above it are anomalies."""
    kinds: dict[Literal["cluster", "classifier", "detector"], str]
    compared_rows: int
    """How many samples were compared, those of the test split first."""
    tolerance: float
    """The largest difference allowed; above it nothing is exported."""
    opset: int
    versions: dict[str, str]
    models: str
    """sha256 of what the models on the latents have learned."""
    encoder_sha256: str
    """sha256 of the autoencoder's contract, as in the metadata of the latents file."""
    preprocessing_sha256: str
    recipe: str
    run_id: str | None = None
    features_sha256: str | None = None
    """Of `FEATURES`; None: `raw` are the values of the source, and there is no such file."""
