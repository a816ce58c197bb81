"""Every number that was measured, how sure it is, what it is compared with, and what it was made by."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ae_pipelines.downstream.intervals import BOUNDS
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown.words import STAGES, metric, written

INGEST = "ingest"
"""Has a section of its own."""
CONTROL = "pca_"
BETTER = {1: "the model", -1: "PCA", 0: ""}


@dataclass(frozen=True)
class Number:
    """A row of the table."""

    words: str
    name: str
    """As the run calls it."""
    value: str
    interval: str
    rows: str
    control: str
    better: str
    """`the model`, `PCA` or neither, as far as it can be told."""


def section(results: Results) -> Section:
    """Always there."""
    tables = {
        title: list(_numbers(stage, found))
        for stage, title in STAGES.items()
        if stage != INGEST and (found := _measured(results, stage))
    }
    html = render(
        "numbers",
        tables=tables,
        typed=typed(results),
        settings=list(_of_the_model(results)),
        made_by=_made_by(results),
    )
    return Section("numbers", "Numbers", html)


def _measured(results: Results, stage: str) -> dict[str, float]:
    return getattr(results, f"{stage}_metrics") or {}


def _numbers(stage: str, metrics: dict[str, float]) -> Iterator[Number]:
    for name, value in metrics.items():
        if name.startswith(CONTROL) or _is_bound(name, metrics):
            continue
        known = metric(stage, name)
        low, high = (metrics.get(f"{name}_{bound}") for bound in BOUNDS)
        control, rows = metrics.get(f"{CONTROL}{name}"), metrics.get(known.counted)
        yield Number(
            words=known.words,
            name=name,
            value=written(value, known.form),
            interval=""
            if low is None or high is None
            else f"{written(low, known.form)} to {written(high, known.form)}",
            rows="" if rows is None else f"{int(rows):,}",
            control="" if control is None else written(control, known.form),
            better=BETTER[_comparison(value, control, low, high, known.better)],
        )


def _is_bound(name: str, metrics: dict[str, float]) -> bool:
    return any(name.endswith(f"_{bound}") and name.removesuffix(f"_{bound}") in metrics for bound in BOUNDS)


def _comparison(value: float, control: float | None, low: float | None, high: float | None, better: str) -> int:
    """1 where the value is better than the control's, -1 where it is worse, 0 where that cannot be said: without a
    direction, or with the control inside of the bounds."""
    if control is None or not better or control == value:
        return 0
    if low is not None and high is not None and low <= control <= high:
        return 0
    return 1 if (value > control) == (better == "higher") else -1


@dataclass(frozen=True)
class Typed:
    """A parameter that was typed, in place of what the recipe or the default says."""

    name: str
    value: str
    stages: list[str]
    """In whose last run it had this value."""


def typed(results: Results) -> list[Typed]:
    """All that was typed but the data folder, which is not part of the work."""
    found: dict[tuple[str, str], list[str]] = {}
    for stage, given in (results.given or {}).items():
        for name, value in given.items():
            if name != "data_dir":
                found.setdefault((name, value), []).append(stage)
    return [Typed(name, value, stages) for (name, value), stages in sorted(found.items())]


def _of_the_model(results: Results) -> Iterator[tuple[str, str]]:
    """Every option of the model that was trained, as its contract says."""
    contract = results.autoencoder.contract
    yield from _flat(contract.model, "model")
    yield from _flat(contract.corruptions, "corruptions")


def _flat(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, part in value.items():
            yield from _flat(part, f"{name}.{key}")
    elif isinstance(value, list) and any(isinstance(part, dict) for part in value):
        for place, part in enumerate(value):
            yield from _flat(part, f"{name}[{place}]")
    else:
        yield name, str(value)


def _made_by(results: Results) -> dict[str, str]:
    """Versions, hashes and sizes."""
    contract, manifest = results.autoencoder.contract, results.samples.manifest
    weights = sum(parameter.numel() for parameter in results.autoencoder.module.parameters())
    rows, size = len(results.latents), results.latents.size
    found = {
        **{f"version of {name}": version for name, version in contract.versions.items()},
        "samples (id of the store)": manifest.id,
        "encoder (sha256)": results.latents.encoder,
        "preprocessing (sha256)": contract.preprocessing_sha256,
        "run that trained it": contract.run_id or "none",
        "weights of the model": f"{weights:,}",
        "samples as they are stored": _bytes(results.samples.stored_bytes),
        "latents": f"{rows:,} × {size} ({_bytes(4 * rows * size)})",
    }
    if contract.initial_encoder is not None:
        found["encoder that it started from (sha256)"] = contract.initial_encoder.sha256
    if contract.elsewhere is not None:
        found["the encoder was"] = contract.elsewhere.words
        found["weights that it started from (sha256)"] = contract.elsewhere.sha256
    if results.registration and "version" in results.registration:
        found["registered as"] = f"{results.registration.get('name')}, version {results.registration['version']}"
    return found


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} GB"
