"""What was typed, kept for the report of a run."""

import json
import threading
from pathlib import Path

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from ae_pipelines.base import atomic
from ae_pipelines.project.notes import file_of, kept_in
from ae_pipelines.project.run_name import stage_of
from ae_pipelines.tracking.parameters import flat

ENTRY = "given"
"""The catalog's entry for the file: {stage: {parameter: value}}."""


class GivenHook:
    """Keeps in the data folder what was typed after `--params` when each stage ran last."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._given: dict[str, str] = {}
        self._file = threading.Lock()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._given = flat(dict(context._runtime_params or {}))

    @hook_impl
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        self._path = file_of(catalog, ENTRY)

    @hook_impl(trylast=True)
    def before_node_run(self, node: Node) -> None:
        if self._path is None:
            return
        with self._file:
            kept, stage = kept_in(self._path), stage_of(node)
            if kept.get(stage, {}) != self._given:
                atomic.write_text(self._path, json.dumps(kept | {stage: self._given}, indent=1))
