"""What the decoder makes of latents, from the best to the worst, and how the training went."""

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown import charts
from ae_pipelines.report.shown.charts import Line, Mark
from ae_pipelines.report.shown.rebuilt import Rebuilt, can_rebuild, kind, rebuilt
from ae_pipelines.report.shown.scales import Axis, shown
from ae_pipelines.training.history import kept_epochs

EACH = 4
"""Samples that are shown of the best, of those in the middle and of the worst."""
MOST_CHARTS = 12
MOST_EPOCHS = 200
"""Points of a curve; of more epochs only every few are drawn."""
ERROR = "reconstruction_error"


def section(results: Results) -> Section | None:
    """Some test samples beside their reconstructions, and the loss by epoch; None where there is neither."""
    picked = _picked(results)
    curves = list(_loss_curves(results.training_history or []))
    if not picked and not curves:
        return None
    shown_rows = [row for rows in picked.values() for row in rows]
    html = render(
        "reconstructions",
        sentences=list(_sentences(results, bool(picked))),
        parts={name: _rebuilt(results, rows) for name, rows in picked.items()},
        kind=kind(results),
        curves=curves,
        epochs=_epochs(results.training_history or []),
    )
    return Section(
        "reconstructions", "Reconstructions" if picked else "Training", html, np.unique(np.array(shown_rows, np.int64))
    )


def _picked(results: Results) -> dict[str, list[int]]:
    """Rows of the test split by how well they are rebuilt; none where there is no decoder, or no error was measured."""
    if ERROR not in results.latents.names or not can_rebuild(results.autoencoder):
        return {}
    rows = results.test_rows()
    errors = results.latents.column(ERROR).to_numpy()[rows]
    ordered = rows[np.argsort(errors, kind="stable")].tolist()
    if len(ordered) < 3 * EACH:
        return {"From the best to the worst": ordered}
    middle = (len(ordered) - EACH) // 2
    return {"Best": ordered[:EACH], "In the middle": ordered[middle : middle + EACH], "Worst": ordered[-EACH:][::-1]}


def _rebuilt(results: Results, rows: list[int]) -> list[Rebuilt]:
    errors = results.latents.take(np.array(rows, np.int64))[ERROR]
    return rebuilt(results, rows, [f"error {shown(float(error))}" for error in errors], corrupted=True)


def _sentences(results: Results, has_samples: bool) -> Iterator[str]:
    contract = results.autoencoder.contract
    if not has_samples:
        kind_of_model = str(contract.model["kind"]).replace("_", " ")
        yield f"{kind_of_model} has no decoder, or no errors were written: nothing is rebuilt."
        return
    metrics = results.embed_metrics or {}
    if ERROR in metrics:
        control = metrics.get(f"pca_{ERROR}")
        numbers = f"{contract.latent_size} numbers" if len(contract.latent_shape) > 1 else "as many numbers"
        beside = "" if control is None else f"; PCA with {numbers} has {shown(control)}"
        yield f"Over the test split the error is {shown(metrics[ERROR])} on average (mean squared){beside}."
    yield (
        f"Each sample is squeezed into {prod(contract.latent_shape)} numbers and rebuilt from them. "
        "These are samples of the test split, which the model has not learned from."
    )
    if contract.corruptions:
        done = ", ".join(str(choice["kind"]).replace("_", " ") for choice in contract.corruptions)
        yield f"In training the model saw corrupted samples ({done}) and had to give the clean ones."


# -- the training --------------------------------------------------------------------------------------------


def _loss_curves(history: list[dict[str, Any]]) -> Iterator[tuple[str, Markup]]:
    """A chart for each loss term, with the epochs whose weights were kept."""
    table = pd.DataFrame(history)
    terms = [name.removeprefix("train/") for name in table.columns if name.startswith("train/")]
    kept = kept_epochs(history) if history else []
    for term in terms[:MOST_CHARTS]:
        lines = [line for part in ("train", "validation") if (line := _line(table, part, term)) is not None]
        if lines:
            name = term.replace("/", ": ").replace("_", " ")
            yield name, _chart(name, lines, _of_this_term(table, term, kept), len(table))


def _line(table: pd.DataFrame, part: str, term: str) -> Line | None:
    if (column := f"{part}/{term}") not in table:
        return None
    values = table[column].to_numpy(float)
    places = np.flatnonzero(np.isfinite(values))
    if not len(places):
        return None
    step = max(1, len(places) // MOST_EPOCHS)
    drawn = np.unique(np.append(places[::step], places[-1]))
    return Line(part, drawn + 1, values[drawn], "ours" if part == "validation" else "control")


def _of_this_term(table: pd.DataFrame, term: str, kept: list[int]) -> list[int]:
    """Of the kept epochs those of phases that have this term."""
    return [epoch for epoch in kept if np.isfinite(table[f"train/{term}"].to_numpy(float)[epoch - 1])]


def _chart(name: str, lines: list[Line], kept: list[int], epochs: int) -> Markup:
    values = np.concatenate([np.asarray(line.y, float) for line in lines])
    log = bool(values.min() > 0 and values.max() > 10 * values.min())
    last = ", ".join(f"{line.name} from {shown(float(line.y[0]))} to {shown(float(line.y[-1]))}" for line in lines)
    says = f"{name} over {epochs} epochs: {last}" + (f"; weights of epoch {kept[-1]} were kept" if kept else "")
    marks = [Mark(epoch, f"kept: {epoch}") for epoch in kept]
    return charts.line_chart(lines, says, Axis("epoch"), Axis("loss" + (" (log scale)" if log else ""), log=log), marks)


def _epochs(history: list[dict[str, Any]]) -> str:
    if not history:
        return ""
    kept, phases = kept_epochs(history), list(dict.fromkeys(str(row.get("phase", "")) for row in history))
    text = f"{len(history):,} epochs" + (f" in {len(phases)} phases ({', '.join(phases)})" if len(phases) > 1 else "")
    if not kept:
        return f"{text}."
    return f"{text}; the weights of epoch {' and '.join(f'{epoch:,}' for epoch in kept)} were kept."
