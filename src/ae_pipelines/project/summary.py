"""The short table at the end of a run, and where to look: catalog entries say what is shown of them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any, Literal

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.tracking.store import store_uri

Row = tuple[str, str, Literal["higher", "lower"]]
"""What a metric is in words, how its number is formatted, and whether higher or lower is better."""


class Shown(Options):
    """What is shown of a dataset that a run has made: `metadata.summary` of its catalog entry."""

    rows: dict[str, Row] | None = None
    """Some of its metrics, by name, each beside its control `pca_<name>`; None: all of them, without a control."""
    table: Literal["ingested", "method", "restored", "generated", "scored"] | None = None
    """The table that its metrics share with those of others that name it."""
    sentence: str | None = None
    """The field of a report that says in a sentence what was found."""
    look: int | None = None
    """Lists its path: lower numbers first, equal ones in the catalog's order."""
    filled: bool = False
    """Whether it is a folder that a node is given and fills itself."""


class Summary:
    """What was ingested and measured, each measure beside its PCA control, and what was registered, scored and has
    drifted, as far as a pipeline makes it.

    `InputError` if an entry does not say what is shown of it in fields of `Shown`.
    """

    def __init__(self, pipeline: Pipeline, catalog: CatalogProtocol, order: Iterable[str]) -> None:
        """`order` is that of the catalog's entries; others come last."""
        self._catalog, self._metrics, self._shown = catalog, dict[str, Shown](), dict[str, Shown]()
        outputs = pipeline.all_outputs()
        for name in dict.fromkeys([*order, *sorted(outputs)]):
            if name in outputs | pipeline.inputs():
                self._add(name, made=name in outputs)

    def _add(self, name: str, made: bool) -> None:
        metadata = getattr(self._catalog.get(name), "metadata", None) or {}
        try:
            shown = Shown.model_validate(metadata.get("summary", {}))
        except InputError as error:
            raise InputError(f"catalog entry {name}, metadata.summary: {error}") from error
        if made or shown.filled:
            self._shown[name] = shown
            if metadata.get("mlflow") == "metrics":
                self._metrics[name] = shown

    def text(self) -> str:
        """The text for what has been made; empty if nothing is to be shown."""
        lines = [*self._tables("ingested", "method"), *self._compared(), *self._plain()]
        lines += [*self._tables("restored", "generated", "scored"), *self._sentences()]
        places = list(self._places())
        if not lines + places:
            return ""
        places += [
            "  the pipeline          kedro viz run",
            f"  all runs              mlflow ui --backend-store-uri {quote(store_uri(Path.cwd()))}",
        ]
        return "\n".join([*lines, "", "Look at:", *places])

    def _tables(self, *tables: str) -> Iterator[str]:
        for table in tables:
            metrics: dict[str, Any] = {}
            for name in (name for name, shown in self._metrics.items() if shown.table == table):
                metrics |= self._catalog.load(name)
            if metrics:
                yield from TABLES[table](metrics)

    def _compared(self) -> list[str]:
        """Metrics beside those of the control."""
        lines = [
            f"{what:38}{metrics[key]:>12{form}}{_control(metrics, key, form)}   ({better} is better)"
            for name, shown in self._metrics.items()
            if shown.rows and (metrics := self._catalog.load(name))
            for key, (what, form, better) in shown.rows.items()
            if key in metrics
        ]
        return ["", f"{'':38}{'autoencoder':>12}{'PCA':>12}", *lines] if lines else []

    def _plain(self) -> list[str]:
        """Metrics for which the catalog names neither rows nor a table."""
        lines = [
            _line(f"{name.removesuffix('_metrics')} {key}", value)
            for name, shown in self._metrics.items()
            if shown.rows is None and shown.table is None
            for key, value in self._catalog.load(name).items()
        ]
        return ["", *lines] if lines else []

    def _sentences(self) -> list[str]:
        """The reports' own sentences."""
        lines = [str(self._catalog.load(name)[shown.sentence]) for name, shown in self._shown.items() if shown.sentence]
        return ["", *lines] if lines else []

    def _places(self) -> Iterator[str]:
        listed = [(shown.look, name) for name, shown in self._shown.items() if shown.look is not None]
        for _, name in sorted(listed, key=lambda place: place[0]):
            if (path := getattr(self._catalog.get(name), "_filepath", None)) is not None:
                yield f"  {name:22}{path}"


def _ingested(counts: dict[str, Any]) -> list[str]:
    text = f"{counts['read']:,} read = {counts['accepted']:,} accepted + {counts['rejected']:,} rejected"
    if counts["duplicates"]:
        text += f" ({counts['duplicates']:,} duplicates)"
    if counts.get("removed"):
        text += f"; {counts['removed']:,} gone from the source since the last ingest"
    return ["", text]


def _restored(metrics: dict[str, Any]) -> list[str]:
    """Quality of restored images beside what needs no training, where the clean ones are known."""
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


def _generated(metrics: dict[str, Any]) -> list[str]:
    """Quality of new samples, beside that of real train samples where these have one."""
    lines = ["", f"{'':38}{'new':>12}{'train':>12}"]
    for name, value in metrics.items():
        if not name.startswith("train_"):
            ceiling = metrics.get(f"train_{name}")
            lines.append(f"{name.replace('_', ' '):38}{value:12.4g}" + (f"{ceiling:12.4g}" if ceiling else ""))
    return lines


def _scored(metrics: dict[str, Any]) -> list[str]:
    """What came in, and what of it was scored; nothing unless both are known."""
    if not {"accepted", "rows"} <= metrics.keys():
        return []
    text = f"{metrics['accepted']:,} samples, {int(metrics['rows']):,} of them scored now"
    if metrics["rows"]:
        text += f" ({int(metrics['rows_per_second']):,} rows/s), {int(metrics['anomalies']):,} anomalies"
    return ["", f"{text}, by version {int(metrics['model_version'])}"]


def _of_the_method(metrics: dict[str, Any]) -> list[str]:
    """Loss terms on the test split and what only this method measures."""
    return ["", *(_line(name, value) for name, value in metrics.items())]


def _control(metrics: dict[str, float], key: str, form: str) -> str:
    control = metrics.get(f"pca_{key}")
    return f"{'' if control is None else format(control, form):>12}"


def _line(name: str, value: float) -> str:
    return f"{name.replace('_', ' '):38}{value:>12.5g}"


TABLES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "ingested": _ingested,
    "method": _of_the_method,
    "restored": _restored,
    "generated": _generated,
    "scored": _scored,
}
