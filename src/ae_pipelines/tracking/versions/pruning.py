"""Versions that nobody needs any more are removed, with their files and the runs that made nothing else; and old runs
that made none."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError
from ae_pipelines.tracking.runs import PARENT
from ae_pipelines.tracking.store import every, experiment_of
from ae_pipelines.tracking.versions.champions import Champions
from ae_pipelines.tracking.versions.registered import every_version

PRUNED = "ae.pruned"
"""Tag of a run whose files are being removed, as long as they are: their paths below its artifacts, "" for all."""
STARTED_FROM = "recipe.training.initial_encoder"
"""The parameter by which a training says which run's encoder it started from."""


@dataclass(frozen=True)
class Leaving:
    """A version that is to be removed."""

    version: Any
    path: str | None
    """Of its files, below the artifacts of its run; None if they lie elsewhere, and so stay."""
    run: Any | None
    """The run that made it; None if that is gone."""
    with_run: bool
    """Whether that run made nothing else, and goes with it."""

    @property
    def bytes(self) -> int | None:
        """What becomes free; None on a server, where nobody here can tell."""
        folder = None if self.run is None else _folder_of(self.run)
        if folder is None or self.path is None:
            return None
        return _bytes_in(folder if self.with_run else folder / self.path)


@dataclass(frozen=True)
class LeavingRun:
    """A run that is to be removed, with those that are nested in it."""

    run: Any
    nested: list[Any]

    @property
    def bytes(self) -> int:
        """What becomes free."""
        folders = [_folder_of(run) for run in (self.run, *self.nested)]
        return sum(_bytes_in(folder) for folder in folders if folder is not None)


def leaving(client: Any, name: str, versions: list[Any], keep: int, alias: str) -> list[Leaving]:
    """The versions that go where the newest `keep` stay, and with them all that an alias points to and the champion
    before the present one, to which one may roll back."""
    record = Champions(client, name, alias).record
    stay = {int(number) for number in client.get_registered_model(name).aliases.values()}
    stay |= {int(version.version) for version in versions[-keep:]}
    left = {int(version.version) for version in versions}
    stay |= {*[number for number, _ in record[:-1] if number in left and number != record[-1][0]][-1:]}
    going = [version for version in versions if int(version.version) not in stay]
    return [_leaving(client, version, {int(one.version) for one in going}) for version in going]


def leaving_runs(client: Any, keep: int) -> list[LeavingRun]:
    """The runs that made no version, of any model, where the newest `keep` of these stay, and with them all that are at
    work, that a training has started from, or whose files are not here."""
    runs = [*every(partial(client.search_runs, [experiment_of(client)]))]
    known = {run.info.run_id: run for run in runs}
    families = defaultdict[str, list[Any]](list)
    for run in runs:
        families[_outermost(run, known)].append(run)
    registered = {version.run_id for version in every_version(client)}
    started_from = " ".join(run.data.params.get(STARTED_FROM, "") for run in runs)

    def stays(run: Any) -> bool:
        return run.info.status == "RUNNING" or run.info.run_id in started_from or _folder_of(run) is None

    without = [name for name, family in families.items() if not registered & {run.info.run_id for run in family}]
    without.sort(key=lambda name: known[name].info.start_time, reverse=True)
    going = [name for name in without[keep:] if not any(map(stays, families[name]))]
    return [LeavingRun(known[name], [run for run in families[name] if run.info.run_id != name]) for name in going]


def prune(client: Any, going: list[Leaving], runs: list[LeavingRun] | None = None) -> Iterator[str]:
    """Remove them one after another, each told when it is gone. What an earlier call was killed over is removed first.

    A run becomes a deleted one of MLflow's: its numbers can be restored, and `mlflow gc` forgets them; its files are
    gone. On a server nothing but the record is touched, since its files are not here: `mlflow gc` there removes them.
    """
    yield from _finished(client)
    for one in going:
        run = None if one.run is None or one.path is None else one.run.info.run_id
        if run is not None:
            paths = json.loads(client.get_run(run).data.tags.get(PRUNED, "[]"))
            client.set_tag(run, PRUNED, json.dumps([*paths, "" if one.with_run else one.path]))
        client.delete_model_version(one.version.name, one.version.version)
        yield from _finished(client)
        yield f"{one.version.name} version {one.version.version} is removed"
    for family in runs or []:
        for run in (*family.nested, family.run):
            client.set_tag(run.info.run_id, PRUNED, json.dumps([""]))
        yield from _finished(client)


def _finished(client: Any) -> Iterator[str]:
    from mlflow.entities import ViewType

    runs = client.search_runs([experiment_of(client)], f"tags.`{PRUNED}` LIKE '[%'", ViewType.ALL)
    for run in runs:
        paths = _of_no_version(client, run, json.loads(run.data.tags[PRUNED]))
        if (folder := _folder_of(run)) is not None:
            for path in paths:
                atomic.remove(folder / path)
        if "" not in paths:
            client.delete_tag(run.info.run_id, PRUNED)
        elif run.info.lifecycle_stage != "deleted":
            client.delete_run(run.info.run_id)
            yield f"run {run.info.run_id} ({run.info.run_name}) is deleted"


def _of_no_version(client: Any, run: Any, paths: list[str]) -> list[str]:
    """Without those of versions that are still there: a call may have been killed before it removed them."""
    there = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    held = {_path_of(client, version, run) for version in there}
    return [path for path in paths if path not in held and not (there and not path)]


def _path_of(client: Any, version: Any, run: Any) -> str | None:
    """Of a version's files, below the artifacts of its run; None if they lie elsewhere."""
    begin = f"{run.info.artifact_uri}/"
    source = client.get_model_version_download_uri(version.name, version.version)
    return str(source).removeprefix(begin) if source.startswith(begin) else None


def _leaving(client: Any, version: Any, going: set[int]) -> Leaving:
    from mlflow.exceptions import MlflowException

    try:
        run = client.get_run(version.run_id)
    except MlflowException:
        return Leaving(version, None, None, with_run=False)
    path = _path_of(client, version, run)
    if path is not None and (not path.strip("/") or ".." in path.split("/")):
        raise InputError(
            f"{version.name} version {version.version} names the files {version.source}, which are not its own"
        )
    return Leaving(version, path, run, with_run=path is not None and not _made_more(client, run, version, going))


def _made_more(client: Any, run: Any, version: Any, going: set[int]) -> bool:
    """Whether a run is still at work, or is needed by something other than versions that go."""
    run_id = run.info.run_id
    if run.info.status == "RUNNING" or PARENT in run.data.tags:
        return True
    others = client.search_model_versions(f"run_id = '{run_id}'")
    if any(one.name != version.name or int(one.version) not in going for one in others):
        return True
    needed = (f"tags.`{PARENT}` = '{run_id}'", f"params.`{STARTED_FROM}` LIKE '%{run_id}%'")
    return any(client.search_runs([experiment_of(client)], query, max_results=1) for query in needed)


def _outermost(run: Any, known: dict[str, Any]) -> str:
    """The id of the run that is nested in no other, and in which this one is."""
    while (parent := known.get(run.data.tags.get(PARENT, ""))) is not None:
        run = parent
    return str(run.info.run_id)


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _folder_of(run: Any) -> Path | None:
    """Where the files of a run lie, if that is here and the run's own folder."""
    from mlflow.utils.file_utils import local_file_uri_to_path

    if not run.info.artifact_uri.startswith("file:"):
        return None
    folder = Path(local_file_uri_to_path(run.info.artifact_uri))
    return folder if folder.parent.name == run.info.run_id else None
