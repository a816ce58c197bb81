"""Results of a small run for reports: made by the library in seconds, with everything that a report shows."""

from pathlib import Path

import pandas as pd

from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.downstream import plane
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.latents.file import Latents, read_latents
from ae_pipelines.latents.pca import pca_stream
from ae_pipelines.latents.stream import LatentStream, write_latents
from ae_pipelines.pipelines.classify import nodes as classify
from ae_pipelines.pipelines.cluster import nodes as cluster
from ae_pipelines.pipelines.detect import nodes as detect
from ae_pipelines.pipelines.embed import nodes as embed
from ae_pipelines.pipelines.ingest import nodes as ingest
from ae_pipelines.report.results import Results
from ae_pipelines.samples.store import Samples
from ae_pipelines.training import embedding, evaluation
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe

WARNINGS = {"cluster": {"measure_clusters": ["the groups overlap"]}}


def results_of(samples: Samples, recipe: Recipe, folder: Path) -> Results:
    """What ingest, fit, embed, cluster, classify and detect leave; what has a row a sample is written into the
    folder."""
    model, history = train(samples, recipe)
    size, learned_from = model.contract.latent_size, model.contract.learned_from
    latents = _written(folder / "latents.parquet", embedding.latent_stream(model, samples))
    pca_latents = _written(folder / "pca_latents.parquet", pca_stream(samples, size, learned_from))
    return Results(
        samples=samples,
        latents=latents,
        pca_latents=pca_latents,
        map=places(latents),
        autoencoder=model,
        ingest_metrics=samples.counts(),
        rejects=samples.rejects,
        columns=ingest.list_columns(samples),
        conflicts=samples.conflicts,
        training_history=history,
        fit_metrics=evaluation.evaluate(model, samples, recipe),
        embed_metrics=embed.measure(latents, pca_latents),
        warnings=WARNINGS,
        **_groups(latents, pca_latents, folder),
        **_classes(latents, pca_latents, folder),
        **_anomalies(latents, pca_latents, samples, model, folder),
    )


def places(latents: Latents) -> pd.DataFrame:
    """Two layouts that take no time: two of the latents, in place of what UMAP finds, and principal components."""
    table = plane.plane(latents, ("pca",), most=len(latents), seed=0)
    first, second = latents.vectors.std(axis=0).argsort()[-2:]
    table.insert(1, "umap_x", latents.vectors[:, first])
    table.insert(2, "umap_y", latents.vectors[:, second])
    return table


def _written(path: Path, stream: LatentStream) -> Latents:
    write_latents(path, stream)
    return read_latents(path)


def _table(path: Path, stream: TableStream) -> TableFile:
    stream.into(path)
    return TableFile(path)


def _groups(latents: Latents, pca_latents: Latents, folder: Path) -> dict[str, object]:
    options = ClusterOptions(kind="kmeans", clusters=10)
    model, control = cluster.fit(latents, options), cluster.fit(pca_latents, options)
    clusters = _table(folder / "clusters.parquet", cluster.assign(model, latents))
    pca_clusters = _table(folder / "pca_clusters.parquet", cluster.assign(control, pca_latents))
    return {
        "cluster_model": model,
        "clusters": clusters,
        "cluster_metrics": cluster.measure(latents, model, clusters, pca_latents, control, pca_clusters),
        "cluster_sizes": cluster.tabulate(latents, clusters),
    }


def _classes(latents: Latents, pca_latents: Latents, folder: Path) -> dict[str, object]:
    options = ClassifyOptions(few_labels=[50], draws=2, label_next=60)
    model, control = classify.fit(latents, options), classify.fit(pca_latents, options)
    predictions = _table(folder / "predictions.parquet", classify.predict(model, latents))
    few = classify.draw_few(model, latents, pca_latents, options)
    metrics = classify.measure(latents, model, pca_latents, control, few, options)
    return {
        "classifier": model,
        "pca_classifier": control,
        "predictions": predictions,
        "few_labels": few,
        "classify_metrics": metrics,
        "per_class": classify.tabulate(latents, predictions, model, metrics),
        "to_label": classify.list_to_label(model, latents, options),
    }


def _anomalies(
    latents: Latents, pca_latents: Latents, samples: Samples, autoencoder: object, folder: Path
) -> dict[str, object]:
    options = DetectOptions()
    model = detect.fit(latents, options, samples, autoencoder)
    control = detect.fit_control(pca_latents, options, model)
    found = _table(folder / "anomalies.parquet", detect.find(model, latents))
    pca_found = _table(folder / "pca_anomalies.parquet", detect.find(control, pca_latents))
    compared = (latents, model, found, pca_latents, control, pca_found)
    return {
        "anomaly_model": model,
        "anomalies": found,
        "detect_metrics": detect.measure(*compared, options, samples, autoencoder),
        "oddest_samples": detect.list_oddest(found, samples, autoencoder),
    }
