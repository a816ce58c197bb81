"""The short table at the end of a run, and where to look: catalog entries say what is shown of them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from shlex import quote
from typing import Any, Literal, NamedTuple

from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.numbers import with_deviation
from ae_pipelines.base.options import Options
from ae_pipelines.base.secrets import without_secrets
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.comparison import controls
from ae_pipelines.downstream import intervals
from ae_pipelines.io.skippable import Skippable
from ae_pipelines.tracking.store import store_uri

Better = Literal["higher", "lower"]
Row = tuple[str, str, Better] | tuple[str, str, Better, str] | tuple[str, str, Better, str, str]
"""What a metric is in words, how its number is formatted, whether higher or lower is better, and, by name, the metrics
that say on how many rows it rests and what is reached without any skill. Its bounds are `<name>_low` and
`<name>_high`."""


MARK = " *"
"""Behind the name of what rests on few rows."""
FEW_ROWS = f"{MARK.strip()} fewer than {intervals.FEW} rows: look at the range, not at the number"


class Shown(Options):
    """What is shown of a dataset that a run has made: `metadata.summary` of its catalog entry."""

    rows: dict[str, Row] | None = None
    """Some of its metrics, by name, each beside its control `pca_<name>`; None: all of them, without a control."""
    table: Literal["ingested", "method", "controls", "restored", "generated", "scored", "tuned"] | None = None
    """The table that its metrics share with those of others that name it."""
    sentence: str | None = None
    """The field of a report that says in a sentence what was found."""
    look: int | None = None
    """Lists its path: lower numbers first, equal ones in the catalog's order."""
    filled: bool = False
    """Whether it is a folder that a node is given and fills itself."""


class Measure(NamedTuple):
    """A metric beside its control, in words."""

    what: str
    value: str
    control: str
    better: Better
    certain: list[str]
    """On how many rows it rests, within which bounds it lies, and what it has to be better than."""


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
        lines = [*self._tables("ingested", "method"), *self._compared(), *self.others(), *self._sentences()]
        places = list(self._places())
        if not lines + places:
            return ""
        places += [
            "  the pipeline          kedro viz run",
            f"  all runs              mlflow ui --backend-store-uri {quote(without_secrets(store_uri(Path.cwd())))}",
        ]
        return "\n".join([*lines, "", "Look at:", *places])

    def _tables(self, *tables: str) -> Iterator[str]:
        for table in tables:
            metrics: dict[str, Any] = {}
            for name in (name for name, shown in self._metrics.items() if shown.table == table):
                metrics |= self._measured(name)
            if metrics:
                yield from TABLES[table](metrics)

    def _compared(self) -> list[str]:
        """Metrics beside those of the control."""
        lines = [_compared_line(measure) for measure in self.measures()]
        few = [FEW_ROWS] if any(MARK in line for line in lines) else []
        return ["", f"{'':38}{'autoencoder':>12}{'PCA':>12}", *lines, *few] if lines else []

    def measures(self) -> Iterator[Measure]:
        """The metrics for which the catalog names rows."""
        for name, shown in self._metrics.items():
            if shown.rows and (metrics := self._measured(name)):
                yield from (_measure(metrics, key, row) for key, row in shown.rows.items() if key in metrics)

    def others(self) -> list[str]:
        """Lines of what is measured beside that, and is no table of every run."""
        return [*self._plain(), *self._tables("controls", "restored", "generated", "scored", "tuned")]

    def _plain(self) -> list[str]:
        """Metrics for which the catalog names neither rows nor a table."""
        lines = []
        for name in (name for name, shown in self._metrics.items() if shown.rows is None and shown.table is None):
            metrics = self._measured(name)
            stage = name.removesuffix("_metrics")
            lines += [
                _line(f"{stage} {key}", value) + _bounds_of(metrics, key)
                for key, value in metrics.items()
                if not _is_bound(metrics, key)
            ]
        return ["", *lines] if lines else []

    def _sentences(self) -> list[str]:
        return ["", *lines] if (lines := self.sentences()) else []

    def sentences(self) -> list[str]:
        """What was left out, and the reports' own sentences."""
        lines = [
            f"{name.removesuffix('_metrics')} was left out: {found.why}"
            for name in self._metrics
            if (found := self._skipped(name))
        ]
        return lines + [
            str(self._catalog.load(name)[shown.sentence]) for name, shown in self._shown.items() if shown.sentence
        ]

    def _measured(self, name: str) -> dict[str, Any]:
        """Metrics by name; none where they were skipped."""
        return {} if self._skipped(name) else self._catalog.load(name)

    def _skipped(self, name: str) -> Skipped | None:
        dataset = self._catalog.get(name)
        return dataset.skipped() if isinstance(dataset, Skippable) else None

    def _places(self) -> Iterator[str]:
        listed = [(shown.look, name) for name, shown in self._shown.items() if shown.look is not None]
        for _, name in sorted(listed, key=lambda place: place[0]):
            if self._skipped(name):
                continue
            path = getattr(self._catalog.get(name), "_filepath", None)
            if path is not None and Path(path).exists():  # not what nobody asked for
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


def _controls(metrics: dict[str, Any]) -> list[str]:
    """What is right on latents and on each control, the best control of each column marked."""
    right = controls.by_name(metrics)
    columns = controls.labels_of(metrics)
    text = f"right, of {int(metrics['test_rows']):,} test samples (%), from"
    best = {measure: controls.best_of(right, measure) for measure in columns}
    lines = ["", f"{text:46}" + "".join(f"{f'{labels:,} labels':>14}" for labels in columns.values())]
    for name, row in right.items():
        cells = (f"{row[measure]:12.1f}" + (MARK if best[measure] == name else "  ") for measure in columns)
        lines.append(f"{name:46}{''.join(cells)}".rstrip())
    return [*lines, f"{MARK.strip()} the best control"]


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
    text += f", by version {int(metrics['model_version'])}"
    if "accuracy" in metrics:
        known = metrics["labelled"] - metrics["of_unseen_classes"]
        text += f"; accuracy {metrics['accuracy']:.3f}{_bounds_of(metrics, 'accuracy')} on {int(known):,} labelled ones"
    return ["", text]


def _tuned(metrics: dict[str, Any]) -> list[str]:
    """What the recipe as it was and the winner are worth, with deviations over seeds; or learning rates."""
    was = "_as_it_was"
    names = [name.removesuffix(was) for name in metrics if name.endswith(was)]
    if not names:
        return ["", *(_line(name, value) for name, value in metrics.items())]
    counts = {state: int(metrics[state]) for state in ("trials", "pruned", "failed")}
    text = f"{counts['trials']} trials, {counts['pruned']} pruned, {counts['failed']} failed"
    rows = [
        "".join(f"{_with_deviation(metrics, f'{name}_{who}'):>22}" for who in ("as_it_was", "tuned")) for name in names
    ]
    titles = [name.replace("_", " ").replace(".", ": ", 1) for name in names]
    return ["", f"{text:44}{'as it was':>22}{'tuned':>22}", *map("{:44}{}".format, titles, rows)]


def _with_deviation(metrics: dict[str, Any], name: str) -> str:
    if name not in metrics:
        return ""
    if f"{name}_sd" not in metrics:
        return f"{metrics[name]:.4g}"
    return with_deviation(metrics[name], metrics[f"{name}_sd"])


def _of_the_method(metrics: dict[str, Any]) -> list[str]:
    """Loss terms on the test split and what only this method measures."""
    return ["", *(_line(name, value) for name, value in metrics.items())]


def _measure(metrics: dict[str, float], key: str, row: Row) -> Measure:
    what, form, better, *about = row
    few = bool(about) and metrics.get(about[0], intervals.FEW) < intervals.FEW
    name, control = f"{what}{MARK}" if few else what, metrics.get(f"pca_{key}")
    certain = list(_certainty(metrics, key, form, *about))
    return Measure(name, f"{metrics[key]:{form}}", "" if control is None else f"{control:{form}}", better, certain)


def _compared_line(found: Measure) -> str:
    certain = "".join(f"; {part}" for part in found.certain)
    return f"{found.what:38}{found.value:>12}{found.control:>12}   ({found.better} is better{certain})"


def _certainty(metrics: dict[str, float], key: str, form: str, counted: str = "", baseline: str = "") -> Iterator[str]:
    """On how many rows a metric rests, within which bounds it lies, and what it has to be better than."""
    low, high = (metrics.get(f"{key}_{bound}") for bound in intervals.BOUNDS)
    bounds = "" if low is None or high is None else f"{low:{form}} to {high:{form}}"
    if (rows := metrics.get(counted)) is not None:
        yield f"{int(rows):,} {counted.replace('_', ' ')}" + (f": {bounds}" if bounds else "")
    elif bounds:
        yield bounds
    if baseline in metrics:
        yield f"{baseline} {metrics[baseline]:{form}}"


def _is_bound(metrics: dict[str, float], key: str) -> bool:
    return any(key.removesuffix(f"_{bound}") in metrics.keys() - {key} for bound in intervals.BOUNDS)


def _bounds_of(metrics: dict[str, float], key: str) -> str:
    low, high = (metrics.get(f"{key}_{bound}") for bound in intervals.BOUNDS)
    return "" if low is None or high is None else f"   ({low:.5g} to {high:.5g})"


def _line(name: str, value: float) -> str:
    return f"{name.replace('_', ' '):38}{value:>12.5g}"


TABLES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "ingested": _ingested,
    "method": _of_the_method,
    "controls": _controls,
    "restored": _restored,
    "generated": _generated,
    "scored": _scored,
    "tuned": _tuned,
}
