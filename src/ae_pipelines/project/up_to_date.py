"""`--only-missing-outputs` makes again what is damaged, and what was made from something else than is there now."""

import logging
from collections import defaultdict
from contextlib import ExitStack
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.io.local import Sealed
from ae_pipelines.project.origins import FILES, NOT_THERE, OPTION, Origins
from ae_pipelines.project.run_name import stage_of

log = logging.getLogger(__name__)

LONGEST = 60
"""Letters of an option's value that are shown."""


class UpToDateHook:
    """Notes in the seal of every result what it was made from, and compares that with what is there now.

    With `--only-missing-outputs` a result counts as there if it is whole and up to date: made from the same options
    and the same content of files. Others count as missing until they are saved, and a line says why.
    """

    def __init__(self) -> None:
        self._origins: Origins | None = None
        self._noting = ExitStack()
        self._stale: set[str] = set()

    @hook_impl(trylast=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        self._noting.close()  # an earlier session in this process may have been interrupted
        self._catalog, self._origins = catalog, Origins(pipeline, catalog)
        self._stale = set()
        if run_params.get("only_missing_outputs"):
            self._find_stale(pipeline)

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str) -> None:
        """Refuse what is damaged, with the stage that makes it."""
        dataset = self._catalog.get(dataset_name)
        if isinstance(dataset, Sealed) and (path := dataset.sealed()) is not None:
            stage = _stage_that_makes(dataset_name)
            seals.check(path, f"run {stage} again" if stage else seals.AGAIN, (stage,) if stage else ())

    @hook_impl
    def before_dataset_saved(self, node: Node) -> None:
        if self._origins is not None:
            self._noting.enter_context(seals.made_from(self._origins.of(node)))

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str) -> None:
        self._noting.close()
        if dataset_name in self._stale:
            self._stale.remove(dataset_name)
            del self._catalog[dataset_name].exists

    @hook_impl
    def on_pipeline_error(self) -> None:
        self._noting.close()

    def _find_stale(self, pipeline: Pipeline) -> None:
        reasons, missing, made_again = defaultdict[str, list[str]](list), list[str](), set[str]()
        for node in pipeline.nodes:
            origins = self._origins.of(node) if self._origins else {}
            for name in sorted(node.outputs):
                if not isinstance(dataset := self._catalog.get(name), Sealed):
                    made_again |= {name} if made_again & {*node.inputs} else set()
                elif dataset.sealed() is None:
                    continue
                elif not dataset.exists():  # type: ignore[attr-defined]
                    made_again.add(name)
                    missing.append(name)
                elif why := _why_again(dataset, node, origins, made_again):
                    made_again.add(name)
                    reasons[why].append(name)
                    self._stale.add(name)
                    dataset.exists = lambda: False  # type: ignore[attr-defined]
        if missing:
            log.info("made, since not there: %s", first_of(missing))
        for why, names in reasons.items():
            log.info("made again, since %s: %s", why, first_of(names))


def _stage_that_makes(dataset_name: str) -> str | None:
    nodes = (node for pipeline in pipelines.values() for node in pipeline.nodes)
    return next((stage_of(node) for node in nodes if dataset_name in node.outputs), None)


def _why_again(dataset: Sealed, node: Node, origins: dict[str, str], made_again: set[str]) -> str | None:
    """Why a result that is there has to be made again; None if it has not."""
    try:
        dataset.refuse_damaged()
    except InputError:
        return "damaged"
    if again := sorted(made_again & {*node.inputs}):
        return f"{again[0]} is made again"
    path = dataset.sealed()
    seal = None if path is None else seals.seal_of(path)
    if seal is None or not seal.made_from:
        return "nothing says what it was made from"
    changed = sorted(name for name in {*origins, *seal.made_from} if origins.get(name) != seal.made_from.get(name))
    return _said(changed[0], seal.made_from, origins) if changed else None


def _said(name: str, before: dict[str, str], now: dict[str, str]) -> str:
    if name.startswith(OPTION):
        was, is_now = (_short(origins.get(name)) for origins in (before, now))
        return f"{name.removeprefix(OPTION)} was {was} and is {is_now}"
    if name.startswith(FILES):
        return f"{name} have changed" if name in before and name in now else f"{name} are others"
    return f"{name} is not there any more" if now.get(name) == NOT_THERE else f"{name} is another one"


def _short(value: str | None) -> str:
    if value is None:
        return "not given"
    return value if len(value) <= LONGEST else f"{value[:LONGEST]}…"
