"""How seconds and memory of each stage grow with the number of rows: `python benchmarks/growth.py`.

Each stage is measured at 10 thousand to 10 million rows (images of 8 × 8, latents of 32 numbers), in a process of its
own that has done it once before with a thousand rows: what is imported, compiled and allocated whatever the
number of rows is not in the seconds, and is told beside the peak of memory. What has been measured is kept as JSON in
the folder, so that a run that was ended goes on where it was; `--again` measures the named stages anew.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from growth_made import MADE, SIZE, MadeEncoded, MadeImages

Stage = Callable[[Path, int], None]
"""Does the work in a folder in which what it needs lies, for so many rows."""

ROWS = (10_000, 100_000, 1_000_000, 10_000_000)
WARM_UP = 1_000
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
    "classify_metrics": classify_metrics,
    "detect": detect,
    "detect_metrics": detect_metrics,
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
    "classify_metrics": ("predict",),
    "detect": ("latents",),
    "detect_metrics": ("detect",),
    "search": ("latents",),
    "search approximate": ("latents",),
    "map": ("latents",),
}
"""The stages whose files a stage reads, or what is made up for it."""


# -- one stage, in a process of its own ------------------------------------------------------------------


def measure(name: str, folder: Path, rows: int, warm: Path) -> dict[str, Any]:
    """Seconds, and bytes of memory at the start and at most."""
    STAGES[name](warm, WARM_UP)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here (proc(5))
    started, cpu = time.perf_counter(), time.process_time()
    STAGES[name](folder, rows)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    return {"stage": name, "rows": rows, "seconds": seconds, "cpu": cpu, "before": before, "peak": _memory("VmHWM")}


def _memory(field: str) -> int:
    """Bytes, by the kernel's name: VmRSS now, VmHWM at most."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


# -- all of them -----------------------------------------------------------------------------------------


class Runs:
    """Measurements in a folder: `<stage> <rows>.json`, and a folder of files for each number of rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def measured(self) -> list[dict[str, Any]]:
        """All that is there, by number of rows."""
        found = [json.loads(path.read_text()) for path in self._folder.glob("* *.json")]
        found = [row for row in found if row["stage"] in STAGES and row["rows"] != WARM_UP]
        return sorted(found, key=lambda row: row["rows"])

    def make(self, name: str, rows: int, again: bool = False) -> None:
        """Measure a stage, or make what is made up, unless it was done before."""
        note = self._folder / f"{name} {rows}.json"
        if note.exists() and not again:
            return
        for needed in NEEDS.get(name, ()):
            self.make(needed, rows)
            self.make(needed, WARM_UP)
        folder, warm = (self._folder / str(number) for number in (rows, WARM_UP))
        for path in (folder, warm):
            path.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--only", name, str(rows), "--folder", str(self._folder)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        note.write_text(answer.splitlines()[-1])
        if name in STAGES and rows != WARM_UP:
            print(_told(json.loads(note.read_text())), flush=True)

    def only(self, name: str, rows: int) -> dict[str, Any]:
        """The same in this process."""
        folder, warm = (self._folder / str(number) for number in (rows, WARM_UP))
        if name in STAGES:
            return measure(name, folder, rows, warm)
        MADE[name](folder, rows)
        return {"stage": name, "rows": rows}


def _told(row: dict[str, Any]) -> str:
    grown = (row["peak"] - row["before"]) / 1e6
    return (
        f"{row['stage']:>16} {row['rows']:>11,} rows {row['seconds']:9.2f} s, peak {row['peak'] / 1e6:7,.0f} MB, of "
        f"which {grown:7,.0f} MB are beyond the {row['before'] / 1e6:,.0f} MB at the start"
    )


def main(stages: list[str], rows: list[int], folder: Path, again: bool) -> None:
    runs = Runs(folder)
    for number in sorted(rows):
        for name in STAGES:
            if name in stages:
                runs.make(name, number, again)
    from growth_report import report  # imports matplotlib, and torch

    report(runs.measured(), list(STAGES))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stages", nargs="+", choices=list(STAGES), default=list(STAGES))
    parser.add_argument("--rows", nargs="+", type=lambda text: int(float(text)), default=list(ROWS))
    parser.add_argument(
        "--folder", type=Path, default=Path("build/growth"), help="where files, 10 GB, and measurements are kept"
    )
    parser.add_argument("--again", action="store_true", help="measure what has been measured before")
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        name, number = arguments.only
        print(json.dumps(Runs(arguments.folder).only(name, int(number))))
    else:
        main(arguments.stages, arguments.rows, arguments.folder.absolute(), arguments.again)
