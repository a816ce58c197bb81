"""What a run warns about, kept for its report."""

import logging
import threading
from pathlib import Path
from typing import Any

from kedro.framework.hooks import hook_impl
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ae_pipelines.base.secrets import without_secrets
from ae_pipelines.io.notes import kept_in
from ae_pipelines.project.notes import file_of, keep
from ae_pipelines.project.run_name import stage_of

ENTRY = "warnings"
"""The catalog's entry for the file: {stage: {node: [text]}}."""


class WarningsHook(logging.Handler):
    """Keeps the warnings of the last run of each node in the data folder; those of other nodes stay."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._path: Path | None = None
        self._file = threading.Lock()
        self._thread = threading.local()

    @hook_impl
    def after_catalog_created(self, conf_catalog: dict[str, Any]) -> None:
        self._path = file_of(conf_catalog, ENTRY)
        logger = logging.getLogger("ae_pipelines")
        if self not in logger.handlers:
            logger.addHandler(self)

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node) -> None:
        self._thread.said = []

    @hook_impl(trylast=True)
    def after_dataset_saved(self, node: Node) -> None:
        """What is written as a stream warns while it is saved, after its node has run."""
        said = list(getattr(self._thread, "said", ()))
        if (path := self._path) is None:
            return
        with self._file:
            kept = kept_in(path)
            of_stage = kept.get(stage_of(node), {})
            if said != of_stage.get(node.name, []):
                of_stage = {name: texts for name, texts in of_stage.items() if name != node.name}
                of_stage |= {node.name: said} if said else {}
                self._path = keep(path, kept | {stage_of(node): of_stage})

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said while a node runs and what it makes is saved, in its own thread."""
        said = getattr(self._thread, "said", None)
        if said is not None:
            said.append(without_secrets(record.getMessage()))


def said_by(pipeline: Pipeline, file: Path | None) -> dict[str, list[str]]:
    """What the nodes of a pipeline have warned of, by stage."""
    kept = {} if file is None else kept_in(file)
    said: dict[str, list[str]] = {}
    for node in pipeline.nodes:
        said.setdefault(stage_of(node), []).extend(kept.get(stage_of(node), {}).get(node.name, []))
    return said
