"""Whether a new version is good enough to take the champion's place."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from ae_pipelines.base.errors import suggestion
from ae_pipelines.base.options import Options
from ae_pipelines.samples.spec import RANGE, SampleSpec
from ae_pipelines.samples.standardise import STATISTICS
from ae_pipelines.samples.tables.treatments import LEARNED
from ae_pipelines.scoring.scoring_contract import ScoringContract

Better = Literal["higher", "lower"]
SIGN: dict[Better, int] = {"higher": 1, "lower": -1}


class PromoteOptions(Options):
    """When the alias moves to a new version."""

    alias: Annotated[str, Field(pattern=r"^[A-Za-z][\w-]*$")] = "champion"
    metrics: dict[str, Better] = {"classify/accuracy": "higher", "embed/reconstruction_error": "lower"}
    """`<stage>/<name>` and whether higher or lower is better; the new version must be no worse on any."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """A metric that is worse by no more than this share of the champion's counts as no worse."""

    @field_validator("alias")
    @classmethod
    def _free(cls, alias: str) -> str:
        if re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE):
            raise ValueError(f"given {alias!r}, which MLflow reserves for itself: give another, such as champion")
        return alias


def objections(new: ScoringContract, champion: ScoringContract, options: PromoteOptions) -> list[str]:
    """Reasons why the new version must not replace the champion; empty if it may."""
    if _comparable(new.samples) != _comparable(champion.samples):
        return [
            f"the champion takes {_said(champion)}, the new version {_said(new)}, so their metrics cannot be compared; "
            "register it under a name of its own (model_name)"
        ]
    compared = (_objection(name, better, new, champion, options) for name, better in options.metrics.items())
    return [objection for objection in compared if objection]


def _objection(
    name: str, better: Better, new: ScoringContract, champion: ScoringContract, options: PromoteOptions
) -> str | None:
    asked_for = "metrics" in options.model_fields_set  # a method may lack some of the default ones
    if name in champion.metrics and name.startswith("classify/") and "classifier" not in new.kinds:
        return f"{name}: the new version has no classifier, the champion has one; give labels, or other promote.metrics"
    if name not in new.metrics and (asked_for or name in champion.metrics):
        return f"{name}: the new version was not measured; {suggestion(name, sorted(new.metrics))}"
    if name not in new.metrics or name not in champion.metrics:
        return None
    theirs = champion.metrics[name]
    ours = new.metrics[name]
    if SIGN[better] * (theirs - ours) <= options.tolerance * abs(theirs):
        return None
    return f"{name}: {ours:.4g}, the champion has {theirs:.4g} ({better} is better)"


def _comparable(spec: SampleSpec) -> tuple[object, ...]:
    """The spec of samples without the statistics, which change with every row that is added."""
    statistics = {*STATISTICS, *LEARNED, RANGE}
    return spec.shape, spec.dtype, {name: done for name, done in spec.preprocessing.items() if name not in statistics}


def _said(contract: ScoringContract) -> str:
    shape = " x ".join(map(str, contract.samples.shape))
    return f"{contract.samples.dtype} samples of {shape} with preprocessing {contract.samples.preprocessing_sha256[:8]}"
