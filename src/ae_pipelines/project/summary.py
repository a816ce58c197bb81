"""The short table at the end of a run, and where to look."""

from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from ae_pipelines.tracking.store import store_uri

ROWS = (
    # what, dataset, metric, its control, format, better
    ("reconstruction error (mse, test)", "embed_metrics", "reconstruction_error", "{:.5f}", "lower"),
    ("grouping accuracy", "cluster_metrics", "accuracy", "{:.3f}", "higher"),
    ("classifier accuracy (test)", "classify_metrics", "accuracy", "{:.3f}", "higher"),
    ("5-nearest-neighbour accuracy (test)", "classify_metrics", "knn_accuracy", "{:.3f}", "higher"),
    ("anomalies told apart (AUROC, test)", "detect_metrics", "auroc", "{:.4f}", "higher"),
    ("neighbours of the same class (test)", "search_metrics", "same_class", "{:.3f}", "higher"),
    ("error with 100 labels (%, test)", "classify_metrics", "error_with_100_labels", "{:.1f}", "lower"),
    ("calibration error (test)", "classify_metrics", "expected_calibration_error", "{:.3f}", "lower"),
)
SAID = (("registration", "why"), ("drift_report", "said"))
"""Reports that have a sentence, and where in them."""
PLACES = (
    *("scores", "drift_picture", "drift_report", "onnx_models"),
    *("rejects", "rejects_summary", "latents", "clusters", "cluster_report", "cluster_examples", "predictions"),
    *("anomalies", "oddest", "neighbours", "similar", "familiarity", "familiarity_histogram", "verdict"),
    *("to_label", "contrast_curve", "contrast_maps", "scoreboard_picture", "scoreboard_json"),
    *("restored_folder", "restored", "restored_picture"),
    *("generated", "new_samples_grid", "interpolation", "interpolation_gif"),
    *("manifold", "arithmetic", "traversal", "gaps"),
    *("examples", "latent_map", "confusion_matrix", "few_labels_curve", "reliability", "learning_curves"),
)
FILLED = {"restored_folder"}
"""Folders that a node is given, and writes into itself."""


def summary(pipeline: Pipeline, catalog: CatalogProtocol) -> str:
    """What was taken in, what the method measures, each measure with a PCA control beside it, what was registered,
    scored and has drifted, as far as this pipeline made them."""
    made = pipeline.all_outputs()
    lines = _taken_in(made, catalog) + _of_the_method(made, catalog) + _measured(made, catalog)
    lines += _restored(made, catalog) + _generated(made, catalog) + _scored(made, catalog) + _said(made, catalog)
    places = [name for name in PLACES if name in made | FILLED & pipeline.inputs()]
    if not lines + places:
        return ""
    lines += ["", "Look at:"]
    lines += [f"  {name:22}{catalog.get(name)._filepath}" for name in places]  # type: ignore[union-attr]
    lines += [
        "  the pipeline          kedro viz run",
        f"  all runs              mlflow ui --backend-store-uri {store_uri(Path.cwd())}",
    ]
    return "\n".join(lines)


def _taken_in(made: set[str], catalog: CatalogProtocol) -> list[str]:
    if "ingest_metrics" not in made:
        return []
    counts = catalog.load("ingest_metrics")
    text = f"{counts['read']:,} read = {counts['accepted']:,} accepted + {counts['rejected']:,} rejected"
    if counts["duplicates"]:
        text += f" ({counts['duplicates']:,} duplicates)"
    if counts.get("removed"):
        text += f"; {counts['removed']:,} gone from the source since the last ingest"
    return ["", text]


def _restored(made: set[str], catalog: CatalogProtocol) -> list[str]:
    """Quality of restored images beside what needs no training, where the clean ones are known."""
    if "restore_metrics" not in made:
        return []
    metrics = catalog.load("restore_metrics")
    text = f"{int(metrics['images']):,} images restored, {int(metrics['left_out']):,} left out"
    if "psnr" not in metrics:
        return ["", text]
    names = [name.removesuffix("psnr") for name in metrics if name.endswith("psnr") and "chroma" not in name]
    rows = [
        (name.strip("_").replace("_", " ") or "restored", *(metrics[name + key] for key in ("psnr", "ssim")))
        for name in names
    ]
    return [
        "",
        f"{text:38}{'PSNR (dB)':>12}{'SSIM':>12}",
        *(f"{what:38}{psnr:12.2f}{ssim:12.3f}" for what, psnr, ssim in rows),
    ]


def _generated(made: set[str], catalog: CatalogProtocol) -> list[str]:
    """Quality of new samples, beside that of real train samples where these have one."""
    if "generate_metrics" not in made:
        return []
    metrics = catalog.load("generate_metrics")
    lines = ["", f"{'':38}{'new':>12}{'train':>12}"]
    for name, value in metrics.items():
        if not name.startswith("train_"):
            ceiling = metrics.get(f"train_{name}")
            lines.append(f"{name.replace('_', ' '):38}{value:12.4g}" + (f"{ceiling:12.4g}" if ceiling else ""))
    return lines


def _scored(made: set[str], catalog: CatalogProtocol) -> list[str]:
    if not {"collect_metrics", "score_metrics"} <= made:
        return []
    counts, metrics = catalog.load("collect_metrics"), catalog.load("score_metrics")
    text = f"{counts['accepted']:,} samples, {int(metrics['rows']):,} of them scored now"
    if metrics["rows"]:
        text += f" ({int(metrics['rows_per_second']):,} rows/s), {int(metrics['anomalies']):,} anomalies"
    return ["", f"{text}, by version {int(metrics['model_version'])}"]


def _said(made: set[str], catalog: CatalogProtocol) -> list[str]:
    """What was found, in sentences of its own."""
    return ["", *said] if (said := [str(catalog.load(name)[key]) for name, key in SAID if name in made]) else []


def _of_the_method(made: set[str], catalog: CatalogProtocol) -> list[str]:
    """Loss terms on the test split and what only this method measures."""
    if "fit_metrics" not in made:
        return []
    metrics = catalog.load("fit_metrics")
    return ["", *(f"{name.replace('_', ' '):38}{value:>12.5g}" for name, value in metrics.items())]


def _measured(made: set[str], catalog: CatalogProtocol) -> list[str]:
    metrics: dict[str, Any] = {name: catalog.load(name) for _, name, *_ in ROWS if name in made}
    rows = [
        (what, pattern.format(metrics[name][key]), pattern.format(metrics[name][f"pca_{key}"]), better)
        for what, name, key, pattern, better in ROWS
        if key in metrics.get(name, {})
    ]
    if not rows:
        return []
    lines = ["", f"{'':38}{'autoencoder':>12}{'PCA':>12}"]
    return lines + [f"{what:38}{ours:>12}{control:>12}   ({better} is better)" for what, ours, control, better in rows]
