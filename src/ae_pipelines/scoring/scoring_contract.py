"""What the models that are registered together promise, and which data they refuse."""

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring import signing

NOT_FINITE = ("NaN", "missing value")
"""How the reasons begin with which a source rejects rows of numbers."""
SCALED = 100
"""Values so many times further from zero than those of the training are on another scale: 255 times where 0 to 255 is
taken for 0 to 1."""
ODD_SHARE = 0.01
"""Share of the samples that may be so far off before all are refused."""
BLOCK_ROWS = 4_096


class ScoreOptions(Options):
    """Which models score new data, and what they tolerate."""

    version: Annotated[int, Field(gt=0)] | None = None
    """Version of the registered model; None: the one that the alias points to."""
    alias: str = "champion"
    leave_out_bad_rows: bool = False
    """Whether rows with NaN, Inf or missing values are left out, instead of nothing being scored."""

    def check(self) -> None:
        """`InputError` if a key that is to verify versions cannot be read."""
        signing.check()


class ScoringContract(Options):
    """The text beside the models (`contract.json`)."""

    samples: SampleSpec
    """What samples look like as they are stored."""
    value_range: tuple[float, float]
    """The lowest and the highest stored value of the samples that they were trained on."""
    samples_id: str
    """The id of the store of these samples."""
    splits: Literal["content", "source"] | None = None
    """What a row's split followed from, the same for all of them; None in contracts from before this field."""
    latent_size: int
    classes: tuple[str, ...]
    """Those of the classifier; none where there were too few labels for one."""
    clusters: int
    kinds: dict[str, str]
    """Kinds of the models: method, clusterer, classifier (where there is one), detector."""
    metrics: dict[str, float]
    """Their metrics, by `<stage>/<name>`."""
    recipe: str
    content: str
    """sha256 of what was learned: equal whenever equal data and options are learned from again."""
    run_id: str | None
    versions: dict[str, str]
    files: dict[str, str]
    """sha256 of every other file of the folder, by its path."""
    sha256: str = ""
    """Over all fields above."""

    def sealed(self) -> Self:
        """This contract with the sha256 of everything else in it."""
        unsaid = {"sha256"} | ({"splits"} if self.splits is None else set())
        return self.model_copy(update={"sha256": canonical_sha256(self.model_dump(mode="json", exclude=unsaid))})

    def refuse_other(self, spec: SampleSpec, version: str = "") -> None:
        """`InputError`, which names the version, unless such samples are what its models were trained on."""
        self.samples.refuse_other(spec, f"registered model {version}".rstrip())

    def refuse_unfit(self, samples: Samples, leave_out: bool = False) -> None:
        """`InputError` for samples of another kind, and for values that are not numbers unless rows with such are to be
        left out."""
        self.refuse_other(samples.spec)
        if not leave_out:
            _refuse_not_finite(samples)

    def refuse_other_scale(self, largest: np.ndarray) -> None:
        """`InputError` if samples whose largest absolute values are these (n,) seem to be scaled otherwise than the
        training's: images of zeros and ones, or numbers of which too many are far beyond any that are known. A single
        odd value does not count as another scale. Rows of numbers may all happen to be small, images are not."""
        known = max(map(abs, self.value_range))
        beyond = largest > SCALED * known
        small = self.samples.bounded and known >= SCALED and 0 < largest.max() <= 1
        if small or beyond.mean() > ODD_SHARE:
            raise InputError(
                f"the values of {len(largest) if small else int(beyond.sum())} of {len(largest)} samples reach "
                f"{largest.max():g}, those that the registered model was trained on {known:g}: they seem to be scaled. "
                "Give them on the training's scale"
            )


def value_range(samples: Samples) -> tuple[float, float]:
    """The lowest and the highest stored value."""
    ends = [(block.min(), block.max()) for block in samples.blocks(BLOCK_ROWS)]
    return float(np.min(ends)), float(np.max(ends))


def magnitudes(values: np.ndarray) -> np.ndarray:
    """The largest absolute value of each sample (n, *shape), (n,)."""
    flat = values.reshape(len(values), -1)
    return np.maximum(flat.max(axis=1), -flat.min(axis=1).astype(np.float64))


def _refuse_not_finite(samples: Samples) -> None:
    rejects = samples.rejects
    bad = rejects[rejects["reason"].str.startswith(NOT_FINITE)]
    if len(bad):
        raise InputError(
            f"{len(bad)} of {samples.manifest.read} rows have NaN or Inf, first: {first_of(list(bad['sample_id']))}. "
            "Mend them, or score the others with leave_out_bad_rows",
            options={"score.leave_out_bad_rows": "true"},
        )
