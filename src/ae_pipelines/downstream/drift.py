"""Whether new rows are still like those of the training.

A batch is compared with a reference sample, one quantity at a time: each latent and the reconstruction error by the
two-sample Kolmogorov-Smirnov statistic, the shares of the clusters by a χ² test of homogeneity. With many rows any
difference is beyond chance, so a quantity has drifted only where the difference is also large enough to matter.
"""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.downstream.distribution import Distribution

BATCH_ROWS = 20_000
"""Rows compared of a larger batch, picked at random: with these, differences above about 0.03 are beyond chance."""
FEWEST_EXPECTED = 5
"""Expected number of rows that the χ² test needs in each group on both sides (Cochran 1954)."""
CONSTANT_RANGE = 1e-5
"""A latent is constant if its range is at most this share of the largest standard deviation of a latent. Devices and
libraries differ in the last bits, and between two different constants a rank test would say that all rows moved."""
NEW_ROWS = "new rows"
OK, DRIFT, INSUFFICIENT, NOTHING_NEW = "ok", "drift", "insufficient data", "nothing new"


class DriftOptions(Options):
    """When new rows count as drifted: the difference is beyond chance, and it is large enough to matter."""

    fewest_rows: Annotated[int, Field(gt=0)] = 200
    """Rows needed on either side; with fewer the verdict is "insufficient data", and nothing is flagged."""
    significance: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """How often a batch like the reference may be called drifted; shared evenly by all tests (Bonferroni)."""
    smallest_effect: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The smallest difference that matters: the KS statistic of a latent or of the error, for clusters the share of
    rows that would have to change cluster. Shifting a normal latent by a quarter of its standard deviation is 0.1."""
    fail: bool = False
    """Whether drift ends the run with an error."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Seed of the sample drawn from a large batch."""


def compare(
    reference: Distribution, batch: Distribution, options: DriftOptions, rows: int | None = None
) -> dict[str, Any]:
    """The content of `drift.json`: `verdict` ("ok", "drift", "insufficient data" or "nothing new"), `said` in words,
    `rows` of which `compared_rows` were looked at, `reference_rows` and what the `reference` is, the thresholds, and

    - `latents`: for each `latent` its KS `statistic`, `p`, and whether it `drifted`;
    - `error`: the same, with the `median` and the `reference_median`; None unless both sides have errors;
    - `clusters`: `shares` of each, [reference, batch], -1 being noise, the `total_variation` ½ Σ|p - q| between them,
      `p` (None where too few rows are left after rare groups were joined) and `drifted`.

    `drift_from` is the KS statistic from which a latent or the error has drifted. Raises `InputError` for latents of
    another encoder, or that are not finite. The batch may be a sample of so many `rows`, at least `BATCH_ROWS` of them.
    """
    _refuse_unlike(reference, batch)
    rows = len(batch) if rows is None else rows
    looked_at = batch.sample(BATCH_ROWS, options.seed)
    found = _differences(reference, looked_at)
    enough = min(rows, len(reference)) >= options.fewest_rows
    _judge(_flattened(found), enough, options)
    about = {
        "rows": rows,
        "compared_rows": len(looked_at),
        "reference_rows": len(reference),
        "reference": reference.description,
        "tests": len(_flattened(found)),
        **options.model_dump(exclude={"fail"}),
        "drift_from": _drift_from(len(reference), len(looked_at), len(_flattened(found)), options) if enough else None,
    }
    drifted = any(difference["drifted"] for difference in _flattened(found))
    verdict = NOTHING_NEW if not len(batch) else INSUFFICIENT if not enough else DRIFT if drifted else OK
    return {"verdict": verdict, "said": _sentence(verdict, about, found, reference), **about, **found}


def drift_metrics(report: dict[str, Any]) -> dict[str, float]:
    """`rows`, `drift` (1 or 0) and, where there are rows, `latents_drifted`, `largest_statistic` of a latent,
    `total_variation` between cluster shares, `error_statistic` and `error_ratio` of the medians, batch by
    reference."""
    metrics = {"rows": float(report["rows"]), "drift": float(report["verdict"] == DRIFT)}
    if latents := report["latents"]:
        metrics["latents_drifted"] = float(sum(latent["drifted"] for latent in latents))
        metrics["largest_statistic"] = max(latent["statistic"] for latent in latents)
    if clusters := report["clusters"]:
        metrics["total_variation"] = clusters["total_variation"]
    if error := report["error"]:
        metrics["error_statistic"] = error["statistic"]
        if error["reference_median"] > 0:
            metrics["error_ratio"] = error["median"] / error["reference_median"]
    return metrics


def refuse_drift(report: dict[str, Any], options: DriftOptions) -> None:
    """`InputError` where there is drift and `options.fail`."""
    if options.fail and report["verdict"] == DRIFT:
        raise InputError(
            f"{report['said']} Look at the new data: if they are broken, fix them and score again; if they have "
            "changed for good, train again; to go on without either, set drift.fail to false",
            stages=("train",),
            options={"drift.fail": "false"},
        )


def _differences(reference: Distribution, batch: Distribution) -> dict[str, Any]:
    """Difference in each quantity, not yet judged; none where a side has no rows."""
    if not len(reference) or not len(batch):
        return {"latents": [], "error": None, "clusters": None}
    return {
        "latents": _latent_differences(reference.vectors, batch.vectors),
        "error": _error_difference(reference.errors, batch.errors),
        "clusters": _cluster_difference(reference.clusters, batch.clusters),
    }


def _latent_differences(reference: np.ndarray, batch: np.ndarray) -> list[dict[str, Any]]:
    lowest = np.minimum(reference.min(axis=0), batch.min(axis=0))
    highest = np.maximum(reference.max(axis=0), batch.max(axis=0))
    constant = highest - lowest <= CONSTANT_RANGE * reference.std(axis=0, dtype=np.float64).max()
    return [
        {"latent": number, **({"statistic": 0.0, "p": 1.0} if constant[number] else _ks(*sides))}
        for number, sides in enumerate(zip(reference.T, batch.T, strict=True))
    ]


def _error_difference(reference: np.ndarray | None, batch: np.ndarray | None) -> dict[str, Any] | None:
    if reference is None or batch is None:
        return None
    return {**_ks(reference, batch), "median": _median(batch), "reference_median": _median(reference)}


def _median(errors: np.ndarray) -> float:
    return float(np.median(errors.astype(np.float64)))  # the mean of two large float32 is Inf


def _cluster_difference(reference: np.ndarray, batch: np.ndarray) -> dict[str, Any]:
    groups = np.union1d(reference, batch)
    places = (np.searchsorted(groups, side) for side in (reference, batch))
    counts = np.stack([np.bincount(side, minlength=len(groups)) for side in places])
    shares = counts / counts.sum(axis=1, keepdims=True)
    return {
        "shares": {str(group): pair for group, pair in zip(groups.tolist(), shares.T.tolist(), strict=True)},
        "total_variation": float(np.abs(shares[0] - shares[1]).sum() / 2),
        "p": _homogeneity(counts),
    }


def _ks(reference: np.ndarray, batch: np.ndarray) -> dict[str, float]:
    """max|F - G| of the empirical distribution functions, and how often chance makes it as large (Smirnov 1939)."""
    from scipy.stats import ks_2samp

    found = ks_2samp(reference, batch, method="asymp")
    return {"statistic": float(found.statistic), "p": float(found.pvalue)}


def _homogeneity(counts: np.ndarray) -> float | None:
    """p of Pearson's χ² test that both rows of `counts` (2, groups) were drawn from the same shares; None where only
    one group is left."""
    from scipy.stats import chi2_contingency

    pooled = _pooled(counts)
    return float(chi2_contingency(pooled, correction=False).pvalue) if pooled.shape[1] > 1 else None


def _pooled(counts: np.ndarray) -> np.ndarray:
    """Groups (2, groups) from the rarest on, joined until each can be expected to have `FEWEST_EXPECTED` rows on both
    sides. Which are joined follows from both sides together, so it favours none."""
    needed = FEWEST_EXPECTED * counts.sum() / counts.sum(axis=1).min()
    pooled, pending = [], np.zeros(2, int)
    for group in counts.T[np.argsort(counts.sum(axis=0), kind="stable")]:
        pending = pending + group
        if pending.sum() >= needed:
            pooled.append(pending)
            pending = np.zeros(2, int)
    if pending.any():
        pooled[-1:] = [pooled[-1] + pending] if pooled else [pending]
    return np.array(pooled).T


def _drift_from(reference_rows: int, rows: int, tests: int, options: DriftOptions) -> float:
    """The KS statistic that is both beyond chance and large enough, by the formula from which `ks_2samp` takes p."""
    from scipy.stats import kstwo

    effective = np.round(reference_rows * rows / (reference_rows + rows))
    return max(options.smallest_effect, float(kstwo.isf(options.significance / tests, effective)))


def _flattened(found: dict[str, Any]) -> list[dict[str, Any]]:
    """All differences that were found, in one list."""
    return [*found["latents"], *(found[name] for name in ("error", "clusters") if found[name])]


def _judge(differences: list[dict[str, Any]], enough: bool, options: DriftOptions) -> None:
    """Set whether each has `drifted`; with too few rows none has."""
    for difference in differences:
        effect = difference["total_variation" if "total_variation" in difference else "statistic"]
        p = 1.0 if difference["p"] is None else difference["p"]
        beyond_chance = p < options.significance / len(differences)
        difference["drifted"] = enough and beyond_chance and effect >= options.smallest_effect


def _sentence(verdict: str, about: dict[str, Any], found: dict[str, Any], reference: Distribution) -> str:
    rows = f"{about['rows']:,} new rows"
    against = f"compared with {about['reference_rows']:,} {about['reference']}"
    if verdict == NOTHING_NEW:
        return "Nothing new: there are no rows to look at."
    if verdict == INSUFFICIENT:
        which, given = "new", about["rows"]
        if given >= about["fewest_rows"]:
            which, given = "reference", about["reference_rows"]
        needed = f"{about['fewest_rows']:,} {which} rows"
        return f"Insufficient data: {needed} are needed to tell drift from chance, given {given:,}."
    if verdict == OK:
        most = max(found["latents"], key=lambda latent: latent["statistic"])
        return (
            f"No drift in {rows}, {against}: the latent that differs most, {most['latent']}, has a KS statistic "
            f"of {most['statistic']:.2g} (0 is alike, 1 is apart)."
        )
    return f"Drift in {rows}, {against}: {'; '.join(_what_drifted(found))}.{_caution(found, reference)}"


def _what_drifted(found: dict[str, Any]) -> list[str]:
    parts = []
    if drifted := [latent for latent in found["latents"] if latent["drifted"]]:
        most = max(drifted, key=lambda latent: latent["statistic"])
        which = f"latent {most['latent']}" + (" most" if len(drifted) > 1 else "")
        count = f"{len(drifted)} of {len(found['latents'])} latents"
        parts.append(f"{count} ({which}, KS statistic {most['statistic']:.2f})")
    if (error := found["error"]) and error["drifted"]:
        parts.append(f"reconstruction errors (median {error['median']:.3g}, before {error['reference_median']:.3g})")
    if (clusters := found["clusters"])["drifted"]:
        group, (before, now) = max(clusters["shares"].items(), key=lambda item: abs(item[1][1] - item[1][0]))
        name = "noise" if group == "-1" else f"cluster {group}"
        parts.append(f"cluster shares ({clusters['total_variation']:.0%} moved, {name} from {before:.0%} to {now:.0%})")
    return parts


def _caution(found: dict[str, Any], reference: Distribution) -> str:
    if not reference.seen or not found["error"] or not found["error"]["drifted"]:
        return ""
    return " Errors of rows that an encoder has learned from are smaller than those of new rows anyway: hold out more."


def _refuse_unlike(reference: Distribution, batch: Distribution) -> None:
    if reference.encoded_by != batch.encoded_by:
        ours, theirs = reference.encoded_by, batch.encoded_by
        raise InputError(
            f"the reference has {ours.latent_size} latents of encoder {ours.encoder[:12]}, but the new rows have "
            f"{theirs.latent_size} of encoder {theirs.encoder[:12]}: score with the model that made the reference"
        )
    for name, side in (("reference", reference), (NEW_ROWS, batch)):
        refuse_not_finite(side.vectors, name)


def refuse_not_finite(vectors: np.ndarray, name: str = NEW_ROWS) -> None:
    """`InputError` if some latents (n, d) of the rows of this name have NaN or Inf."""
    if bad := int((~np.isfinite(vectors)).any(axis=1).sum()):
        raise InputError(f"{bad} of {len(vectors)} latents of the {name} have NaN or Inf: encode these rows again")
