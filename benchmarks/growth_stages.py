"""The stages that `growth.py` measures: what the pipelines call in the library, on files in a folder."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growth_made import SIZE, MadeEncoded, MadeImages

Stage = Callable[[Path, int], None]
"""Does the work in a folder in which what it needs lies, for so many rows."""

BATCH = 1024


def ingest(folder: Path, rows: int) -> None:
    """Images that a source makes, into `samples`."""
    from ae_pipelines.samples.ingest import write_store

    write_store(folder / "samples", MadeImages(rows))


def ingest_encoded(folder: Path, rows: int) -> None:
    """Images that are yet to be decoded, here in one process, and of which equal ones are kept once."""
    from ae_pipelines.samples.ingest import IngestOptions, write_store

    shutil.rmtree(folder / "encoded", ignore_errors=True)
    write_store(folder / "encoded", MadeEncoded(rows), IngestOptions(workers=1))


def ingest_again(folder: Path, rows: int) -> None:
    """The same images again: all are known."""
    from ae_pipelines.samples.ingest import IngestOptions, write_store

    write_store(folder / "encoded", MadeEncoded(rows), IngestOptions(workers=1))


def ingest_table(folder: Path, rows: int) -> None:
    """A parquet file with 32 columns of numbers."""
    from ae_pipelines.samples.ingest import write_store
    from ae_pipelines.samples.sources import SOURCES

    source = SOURCES.maker("table")(path=folder / "table.parquet", id="id", label="label")
    write_store(folder / "table", source)


def fit(folder: Path, rows: int) -> None:
    """One epoch of a small net, streamed from `samples`, into `autoencoder`."""
    from ae_pipelines.samples.store import Samples
    from ae_pipelines.training import loop
    from ae_pipelines.training.recipe import Recipe

    samples = Samples(folder / "samples")
    model = {"kind": "autoencoder", "latent_size": SIZE, "net": {"kind": "dense", "widths": [64]}}
    loader = {"batch_size": min(BATCH, rows // 10), "memory_budget": samples.stored_bytes // 2}
    training = {"epochs": 1, "device": "cpu", "threads": 1}
    recipe = Recipe.model_validate({"model": model, "loader": loader, "training": training})
    recipe.check_samples(samples)
    trained, _ = loop.train(samples, recipe)
    trained.save(folder / "autoencoder")


def embed(folder: Path, rows: int) -> None:
    """A latent and reconstruction errors for every image, into `embedded.parquet`."""
    from ae_pipelines.latents.stream import write_latents
    from ae_pipelines.samples.store import Samples
    from ae_pipelines.training.embedding import latent_stream
    from ae_pipelines.training.trained import TrainedModel

    model = TrainedModel.load(folder / "autoencoder")
    write_latents(folder / "embedded.parquet", latent_stream(model, Samples(folder / "samples")))


def kmeans(folder: Path, rows: int) -> None:
    """Ten groups, found and kept."""
    _fit_groups(folder, "kmeans")


def gaussian_mixture(folder: Path, rows: int) -> None:
    """The same by a mixture, of a sample."""
    _fit_groups(folder, "gaussian_mixture")


def assign(folder: Path, rows: int) -> None:
    """Each row's group and distance, written."""
    from ae_pipelines.base.tables import TableStream
    from ae_pipelines.downstream import clustering, saved
    from ae_pipelines.latents.file import LatentsFile

    model, latents = saved.read(folder / "kmeans.skops"), LatentsFile(folder / "latents.parquet")
    pieces = (clustering.assign(model, piece) for piece in latents.pieces())
    TableStream(pieces).into(folder / "clusters.parquet")


def cluster_metrics(folder: Path, rows: int) -> None:
    """How good these groups are, how large, and which rows lie at their centres."""
    from ae_pipelines.base.tables import TableFile
    from ae_pipelines.downstream import clustering, group_contents, saved
    from ae_pipelines.latents.file import LatentsFile

    model, latents = saved.read(folder / "kmeans.skops"), LatentsFile(folder / "latents.parquet")
    clusters = TableFile(folder / "clusters.parquet")
    clustering.cluster_metrics(latents, model, clusters["cluster"].to_numpy())
    group_contents.cluster_sizes(latents, clusters)
    group_contents.nearest_rows(clusters["cluster"].to_numpy(), clusters["distance"].to_numpy())


def _fit_groups(folder: Path, kind: str) -> None:
    from ae_pipelines.downstream import clustering, saved
    from ae_pipelines.downstream.clustering import ClusterOptions
    from ae_pipelines.latents.file import LatentsFile

    model = clustering.fit_groups(LatentsFile(folder / "latents.parquet"), ClusterOptions(kind=kind, clusters=10))
    saved.write(folder / f"{kind}.skops", model)


def predict(folder: Path, rows: int) -> None:
    """A classifier, fitted on the labelled latents, and a class for each."""
    from ae_pipelines.base.tables import TableStream
    from ae_pipelines.downstream import classification, saved
    from ae_pipelines.latents.file import LatentsFile

    latents = LatentsFile(folder / "latents.parquet")
    classifier = classification.fit_classifier(latents, classification.ClassifyOptions())
    saved.write(folder / "classifier.skops", classifier)
    pieces = (classification.predict(classifier, piece) for piece in latents.pieces())
    TableStream(pieces).into(folder / "predictions.parquet")


def classify_metrics(folder: Path, rows: int) -> None:
    """How good classes and probabilities are, also from few labels, and which rows to label next."""
    from ae_pipelines.base.tables import TableFile
    from ae_pipelines.downstream import class_metrics, few_labels, labelling, saved
    from ae_pipelines.downstream.classification import ClassifyOptions
    from ae_pipelines.latents.file import LatentsFile

    latents, options = LatentsFile(folder / "latents.parquet"), ClassifyOptions()
    classifier, predictions = saved.read(folder / "classifier.skops"), TableFile(folder / "predictions.parquet")
    class_metrics.classification_metrics(latents, classifier, options)
    class_metrics.reliability(latents, classifier)
    class_metrics.per_class_table(latents, predictions)
    few_labels.curve(latents, options)
    labelling.to_label(classifier, latents, options)


def detect(folder: Path, rows: int) -> None:
    """A detector that looks at all vectors, and a score for each."""
    from ae_pipelines.base.tables import TableStream
    from ae_pipelines.downstream import detection, saved
    from ae_pipelines.latents.file import LatentsFile

    latents = LatentsFile(folder / "latents.parquet")
    model = detection.fit_detector(latents, detection.DetectOptions(kind="mahalanobis"))
    saved.write(folder / "anomaly_model.skops", model)
    pieces = (detection.find_anomalies(model, piece) for piece in latents.pieces())
    TableStream(pieces).into(folder / "anomalies.parquet")


def detect_metrics(folder: Path, rows: int) -> None:
    """How many alarms there are, all detectors beside each other, and the oddest rows."""
    from ae_pipelines.base.tables import TableFile
    from ae_pipelines.downstream import detection, saved
    from ae_pipelines.latents.file import LatentsFile

    latents, anomalies = LatentsFile(folder / "latents.parquet"), TableFile(folder / "anomalies.parquet")
    detection.detection_metrics(latents, saved.read(folder / "anomaly_model.skops"), anomalies)
    detection.auroc_of_each(latents, detection.DetectOptions())
    scores = anomalies["score"].to_numpy()
    anomalies.take(detection.oddest(scores, detection.LISTED))
    detection.scores_by_group(latents, scores)


def search(folder: Path, rows: int) -> None:
    """Ten exact neighbours of 1,000 samples."""
    _search(folder, exact=True)


def search_approximate(folder: Path, rows: int) -> None:
    """The same by an approximate index, which is built for it."""
    _search(folder, exact=False)


def _search(folder: Path, exact: bool) -> None:
    from ae_pipelines.base.tables import TableStream
    from ae_pipelines.downstream import search
    from ae_pipelines.latents.file import LatentsFile

    latents, options = LatentsFile(folder / "latents.parquet"), search.SearchOptions(random=1000, k=10, exact=exact)
    wanted = search.queries(latents, options, _no_image)
    TableStream(search.neighbours(latents, wanted, options)).into(folder / "neighbours.parquet")


def _no_image(path: Path) -> Any:
    raise NotImplementedError(path)


def lay_out(folder: Path, rows: int) -> None:
    """As many samples in the plane as the report shows."""
    from ae_pipelines.downstream import plane
    from ae_pipelines.latents.file import LatentsFile
    from ae_pipelines.report.options import ReportOptions

    options = ReportOptions()
    plane.plane(LatentsFile(folder / "latents.parquet"), options.layouts, options.samples, options.seed)


STAGES: dict[str, Stage] = {
    "ingest": ingest,
    "ingest encoded": ingest_encoded,
    "ingest again": ingest_again,
    "ingest table": ingest_table,
    "fit": fit,
    "embed": embed,
    "kmeans": kmeans,
    "gaussian mixture": gaussian_mixture,
    "assign": assign,
    "cluster metrics": cluster_metrics,
    "predict": predict,
    "classify metrics": classify_metrics,
    "detect": detect,
    "detect metrics": detect_metrics,
    "search": search,
    "search approximate": search_approximate,
    "map": lay_out,
}
"""What is measured, in this order; imports only what it needs, inside."""

NEEDS: dict[str, tuple[str, ...]] = {
    "ingest again": ("ingest encoded",),
    "ingest table": ("table",),
    "fit": ("ingest",),
    "embed": ("ingest", "fit"),
    "kmeans": ("latents",),
    "gaussian mixture": ("latents",),
    "assign": ("latents", "kmeans"),
    "cluster metrics": ("assign",),
    "predict": ("latents",),
    "classify metrics": ("predict",),
    "detect": ("latents",),
    "detect metrics": ("detect",),
    "search": ("latents",),
    "search approximate": ("latents",),
    "map": ("latents",),
}
"""The stages whose files a stage reads, or what is made up for it."""
