"""The short table at the end of a run, and where to look."""

from pathlib import Path
from typing import Any

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from ae_pipelines.tracking import store_uri

ROWS = (
    # what, dataset, metric, its control, format, better
    ("reconstruction error (mse, test)", "embed_metrics", "reconstruction_error", "{:.5f}", "lower"),
    ("grouping accuracy (KMeans)", "cluster_metrics", "accuracy", "{:.3f}", "higher"),
    ("classifier accuracy (test)", "classify_metrics", "accuracy", "{:.3f}", "higher"),
    ("5-nearest-neighbour accuracy (test)", "classify_metrics", "knn_accuracy", "{:.3f}", "higher"),
)
PLACES = ("latents", "clusters", "predictions", "reconstructions", "latent_map", "confusion_matrix", "learning_curves")


def summary(pipeline: Pipeline, catalog: CatalogProtocol) -> str:
    """Each measure beside its PCA control, for what this pipeline made; empty if it measured nothing."""
    made = pipeline.all_outputs()
    metrics: dict[str, Any] = {name: catalog.load(name) for _, name, *_ in ROWS if name in made}
    rows = [
        (what, pattern.format(metrics[name][key]), pattern.format(metrics[name][f"pca_{key}"]), better)
        for what, name, key, pattern, better in ROWS
        if key in metrics.get(name, {})
    ]
    if not rows:
        return ""
    lines = ["", f"{'':38}{'autoencoder':>12}{'PCA':>12}"]
    lines += [f"{what:38}{ours:>12}{control:>12}   ({better} is better)" for what, ours, control, better in rows]
    places = [name for name in PLACES if name in made]
    lines += ["", "Look at:"]
    lines += [f"  {name:18}{catalog.get(name)._filepath}" for name in places]  # type: ignore[union-attr]
    lines += [
        "  the pipeline      kedro viz run",
        f"  all runs          mlflow ui --backend-store-uri {store_uri(Path.cwd())}",
    ]
    return "\n".join(lines)
