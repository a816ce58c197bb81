"""What was typed, kept for the report of a run."""

import threading
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.pipeline.node import Node

from ae_pipelines.io.notes import kept_in
from ae_pipelines.project.notes import file_of, keep
from ae_pipelines.project.run_name import stage_of
from ae_pipelines.tracking.parameters import recorded

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
        self._given = recorded(dict(context._runtime_params or {}))

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        self._path = file_of(conf_catalog, ENTRY)

    @hook_impl(trylast=True)
    def after_dataset_saved(self, node: Node) -> None:
        if (path := self._path) is None:
            return
        with self._file:
            kept, stage = kept_in(path), stage_of(node)
            if kept.get(stage, {}) != self._given:
                self._path = keep(path, kept | {stage: self._given})
