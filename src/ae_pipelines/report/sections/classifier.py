"""Which classes are told apart, from how many labels, how sure that is, and what to label next."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ae_pipelines.comparison import controls
from ae_pipelines.downstream import calibration, class_metrics, classification, few_labels, intervals
from ae_pipelines.latents.labels import Labels
from ae_pipelines.report.rendering import render
from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.shown import charts, confusion, labelling
from ae_pipelines.report.shown.charts import Line
from ae_pipelines.report.shown.scales import Axis
from ae_pipelines.report.shown.words import interval, percent

LEAST_ROWS = 10
"""Bins of confidence with fewer samples say nothing and are left out."""
FOLDED = 20
"""A table of more classes is folded."""


def section(results: Results) -> Section | None:
    """How well classes are told apart and what to label next; without a classifier what to label first; None where
    there is neither."""
    predictions, next_ones = results.predictions, labelling.to_label(results)
    if predictions is None and not next_ones:
        return None
    html = render(
        "classifier",
        sentences=list(_sentences(results)),
        confusion=None if predictions is None else confusion.confusion(results.latents, predictions),
        controls=_controls(results),
        few_labels=_few_labels(results),
        reliability=_reliability(results),
        classes=_classes(results),
        folded=FOLDED,
        labelling=labelling.shown(results, next_ones),
    )
    title = "Classifier" if predictions is not None else "What to label first"
    return Section("classifier", title, html, np.unique(np.array([one.row for one in next_ones], np.int64)))


def _sentences(results: Results) -> Iterator[str]:
    metrics = results.classify_metrics
    if results.predictions is None:
        yield "There is no classifier, since it needs labels of at least two classes in both splits."
        return
    if metrics is None:
        yield "How good the classifier is was not measured: run classify again."
        return
    rows = int(metrics["test_rows"])
    sure = interval(metrics.get("accuracy_low"), metrics.get("accuracy_high"))
    yield (
        f"From {int(metrics['train_rows']):,} labels the classifier names the right class for "
        f"{percent(metrics['accuracy'])}{sure} of {rows:,} labelled test samples. "
        "In brackets: where the true share lies, with 95 % confidence."
    )
    beside = [f"always naming the commonest class: {percent(metrics['majority'])}"] if "majority" in metrics else []
    if "pca_accuracy" in metrics:
        low, high = metrics.get("pca_accuracy_low"), metrics.get("pca_accuracy_high")
        beside.append(f"the same classifier on PCA: {percent(metrics['pca_accuracy'])}{interval(low, high)}")
    if beside:
        yield f"To compare with: {'; '.join(beside)}."
    if rows < intervals.FEW:
        yield f"These are only {rows} samples: look at the bounds, not at the number."


@dataclass(frozen=True)
class Compared:
    """Latents beside the controls: the heads of two columns, and a row for each with its name and what is right."""

    heads: list[str]
    rows: list[tuple[str, list[str]]]
    best: list[str]
    """The best control of each column."""
    test_rows: str
    left_out: list[str]


def _controls(results: Results) -> Compared | None:
    """None where they were not measured."""
    if results.controls is None or not (metrics := results.controls["metrics"]):
        return None
    right = controls.by_name(metrics)
    columns = controls.labels_of(metrics)
    return Compared(
        heads=[f"from {labels:,} labels" for labels in columns.values()],
        rows=[(name, [percent(row[measure] / 100) for measure in columns]) for name, row in right.items()],
        best=[controls.best_of(right, measure) or "" for measure in columns],
        test_rows=f"{int(metrics['test_rows']):,}",
        left_out=results.controls["left_out"],
    )


def _few_labels(results: Results) -> Markup | None:
    """Errors by number of labels; None where they were not measured, or for one number only."""
    curves, metrics = results.few_labels, results.classify_metrics or {}
    if curves is None or len(curves["latents"]) < 2 or "test_rows" not in metrics:
        return None
    rows = int(metrics["test_rows"])
    lines = [_curve("PCA", curves["pca"], "control", rows), _curve("latents", curves["latents"], "ours", rows)]
    counts = [point["labels"] for point in curves["latents"]]
    if "majority" in metrics:
        error = 100 * (1 - metrics["majority"])
        lines.append(Line("commonest", [counts[0], counts[-1]], [error, error], "plain"))
    said = ", ".join(f"{point['error_mean']:.1f} % from {point['labels']:,}" for point in curves["latents"])
    x, y = Axis("labels", log=True, ticks=counts), Axis("wrong test samples, %", from_zero=True)
    return charts.line_chart(lines, f"wrong test samples by number of labels: {said}", x, y)


def _curve(name: str, points: list[dict[str, Any]], role: str, rows: int) -> Line:
    """The mean errors, with the bounds that follow from the number of judged rows."""
    errors = [point["error_mean"] for point in points]
    bounds = [intervals.proportion(error / 100, min(rows, few_labels.JUDGED_ROWS)) for error in errors]
    low, high = ([100 * pair[end] for pair in bounds] for end in (0, 1))
    return Line(name, [point["labels"] for point in points], errors, role, low, high, dots=True)


def _reliability(results: Results) -> Markup | None:
    """How often predictions are right, by how sure they are."""
    if results.predictions is None or results.classifier is None:
        return None
    latents = results.latents
    rows = classification.judged_rows(latents, classification.test_rows(latents), results.classifier)
    predicted = Labels.in_column(results.predictions, "predicted")
    right = predicted.codes[rows] == latents.labels.by(predicted.names).codes[rows]
    table = calibration.reliability(results.predictions["probability"].to_numpy()[rows].astype(float), right)
    ours = _bins("latents", table, "ours")
    if ours is None:
        return None
    lines = [Line("as sure", [0, 1], [0, 1], "plain"), ours]
    if results.pca_latents is not None and results.pca_classifier is not None:
        control = _bins("PCA", class_metrics.reliability(results.pca_latents, results.pca_classifier), "control")
        lines += [control] if control is not None else []
    off = calibration.expected_calibration_error(table)
    says = f"how often predictions are right by how sure they are; on average {percent(off)} apart"
    axes = (Axis("how sure: probability of the class", most=1), Axis("how often right", from_zero=True, most=1))
    return charts.line_chart(lines, says, *axes)


def _bins(name: str, table: pd.DataFrame, role: str) -> Line | None:
    table = table[table["rows"] >= LEAST_ROWS]
    if len(table) < 2:
        return None
    pairs = zip(table["accuracy"], table["rows"], strict=True)
    bounds = np.array([intervals.proportion(share, rows) for share, rows in pairs])
    x, y = table["confidence"].to_numpy(), table["accuracy"].to_numpy()
    return Line(name, x, y, role, bounds[:, 0], bounds[:, 1], dots=True)


def _classes(results: Results) -> list[dict[str, Any]]:
    """The table by class, those that are found least first."""
    table = results.per_class
    if table is None:
        return []
    ordered = table.sort_values(["recall", "support"], kind="stable")
    rows: list[dict[str, Any]] = [
        {
            "label": str(row["label"]),
            "support": f"{int(row['support']):,}",
            "recall": percent(row["recall"]),
            "sure": interval(*intervals.proportion(row["recall"], row["support"])) if row["support"] else "",
            "precision": percent(row["precision"]),
            "bar": charts.bar(row["recall"]),
        }
        for _, row in ordered.iterrows()
    ]
    return rows
