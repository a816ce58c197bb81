"""What a run warns about, kept for its report."""

import json
import logging
import threading
from pathlib import Path

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline.node import Node

from ae_pipelines.base import atomic

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
    def after_catalog_created(self, catalog: CatalogProtocol) -> None:
        entry = catalog.get(ENTRY)
        self._path = None if entry is None else Path(str(entry._filepath))
        logger = logging.getLogger("ae_pipelines")
        if self not in logger.handlers:
            logger.addHandler(self)

    @hook_impl(tryfirst=True)
    def before_node_run(self, node: Node) -> None:
        self._thread.said = []

    @hook_impl(trylast=True)
    def after_node_run(self, node: Node) -> None:
        said, self._thread.said = self._thread.said, None
        if self._path is None:
            return
        with self._file:
            kept = _kept(self._path)
            of_stage = kept.get(str(node.namespace), {})
            if said != of_stage.get(node.name, []):
                of_stage = {name: texts for name, texts in of_stage.items() if name != node.name}
                of_stage |= {node.name: said} if said else {}
                atomic.write_text(self._path, json.dumps(kept | {str(node.namespace): of_stage}, indent=1))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what is said while a node runs, in its own thread."""
        said = getattr(self._thread, "said", None)
        if said is not None:
            said.append(record.getMessage())


def _kept(path: Path) -> dict[str, dict[str, list[str]]]:
    """What is in the file; nothing if it is not there, or damaged, since it is only a note."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
