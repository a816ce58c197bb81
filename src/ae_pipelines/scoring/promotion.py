"""Whether a new version is good enough to take the champion's place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ae_pipelines.base.errors import suggestion
from ae_pipelines.base.options import Options
from ae_pipelines.samples.scales import apart_from_scale
from ae_pipelines.scoring import signing
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

    @property
    def stages(self) -> list[str]:
        """Those that measure the metrics."""
        return list(dict.fromkeys(name.partition("/")[0] for name in self.metrics))

    def check(self) -> None:
        """`InputError` if a key that is to sign versions cannot be read."""
        signing.check()

    @field_validator("alias")
    @classmethod
    def _free(cls, alias: str) -> str:
        if re.fullmatch(r"latest|v\d+", alias, re.IGNORECASE):
            raise ValueError(f"given {alias!r}, which MLflow reserves for itself: give another, such as champion")
        return alias


@dataclass(frozen=True)
class Compared:
    """Metrics of two versions, by `<stage>/<name>`, on the same rows."""

    new: Mapping[str, float]
    champion: Mapping[str, float]
    how: str
    """Which rows these are."""
    anew: bool = False
    """Whether they were measured for this, and not when each version was trained."""

    def shown(self, options: PromoteOptions) -> str:
        """The numbers that decide, in words."""
        decisive = [name for name in options.metrics if name in self.new and name in self.champion]
        numbers = [f"{name} {self.new[name]:.4g} (champion {self.champion[name]:.4g})" for name in decisive]
        return f"{', '.join(numbers)}; {self.how}" if numbers else ""

    def kept(self, options: PromoteOptions) -> dict[str, Any]:
        """The same, for a file."""
        both = ("version", self.new), ("champion", self.champion)
        numbers = {name: {who: found.get(name) for who, found in both} for name in options.metrics}
        return {"how": self.how, "metrics": numbers}


def unlike_samples(new: ScoringContract, champion: ScoringContract) -> str | None:
    """Why versions of such samples are not versions of one model; None if they may be."""
    if apart_from_scale(new.samples) == apart_from_scale(champion.samples):
        return None
    return (
        f"the champion takes {_said(champion)}, the new version {_said(new)}, so their metrics cannot be compared; "
        "register it under a name of its own (model_name)"
    )


def objections(
    new: ScoringContract, champion: ScoringContract, options: PromoteOptions, compared: Compared
) -> list[str]:
    """Reasons why the new version must not replace the champion; empty if it may."""
    expected = {*compared.champion, *(champion.metrics if compared.anew else ())}
    if "metrics" in options.model_fields_set:  # a method may lack some of the default ones
        expected |= {*options.metrics}
    lacks = "classifier" in champion.kinds and "classifier" not in new.kinds
    reasons = {
        name: _reason(name, better, compared, options, lacks and name.startswith("classify/"), name in expected)
        for name, better in options.metrics.items()
    }
    return [f"{name}: {reason}" for name, reason in reasons.items() if reason]


def _reason(
    name: str, better: Better, found: Compared, options: PromoteOptions, lacks: bool, expected: bool
) -> str | None:
    if lacks:
        return "the new version has no classifier, the champion has one; give labels, or other promote.metrics"
    if name not in found.new and expected:
        return f"the new version was not measured; {suggestion(name, sorted(found.new))}"
    if name not in found.new or name not in found.champion:
        return None
    ours, theirs = found.new[name], found.champion[name]
    if SIGN[better] * (theirs - ours) <= options.tolerance * abs(theirs):
        return None
    return f"{ours:.4g}, the champion has {theirs:.4g} ({better} is better)"


def _said(contract: ScoringContract) -> str:
    shape = " x ".join(map(str, contract.samples.shape))
    return f"{contract.samples.dtype} samples of {shape} with preprocessing {contract.samples.preprocessing_sha256[:8]}"
