"""Labels that people gave to single samples, laid over those of any source."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.words import expanded
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.sources.label_file import read_labels

log = logging.getLogger(__name__)

LabelFiles = Annotated[list[str], AfterValidator(lambda paths: [expanded(path) for path in paths])]
"""Paths of tables, in which ~ and variables are replaced."""
SHOWN = 3
"""How many ids a message shows."""


class GivenLabels:
    """Labels by sample id, from tables as `read_labels` reads them; of a sample in several, the last table's.

    `InputError` if a table cannot be read.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._files = ", ".join(paths)
        self._labels: dict[str, str] = {}
        for path in paths:
            self._labels |= read_labels(Path(path), with_nul=True)
        self._by_content: dict[str, str] = {}
        self._found = self._replaced = 0
        self._seen: list[str] = []
        """The first ids of samples."""

    def over(self, block: Block) -> Block:
        """The block with these labels in place of its own; copies of a sample get the label of that sample."""
        if not self._labels:
            return block
        self._seen += block.ids[: SHOWN - len(self._seen)]
        own = block.labels or [None] * len(block.ids)
        labels = [self._labels.get(name, label) for name, label in zip(block.ids, own, strict=True)]
        self._note(block, own)
        copies = [replace(copy, label=self._by_content.get(copy.sha256, copy.label)) for copy in block.copies]
        return replace(block, labels=labels, copies=copies)

    def _note(self, block: Block, own: Sequence[Any]) -> None:
        for place, (name, label) in enumerate(zip(block.ids, own, strict=True)):
            if (given := self._labels.get(name)) is None:
                continue
            self._found += 1
            self._replaced += label is not None and str(label) != given
            if block.sha256:
                self._by_content[block.sha256[place]] = given

    def tell(self) -> None:
        """Log how many samples got a label; `InputError` if none did."""
        if not self._labels:
            return
        if not self._found:
            raise InputError(
                f"ingest.labels: none of the {len(self._labels)} ids in {self._files} is a sample's. They are "
                f"{first_of([*self._labels], SHOWN)}, but the samples' are {first_of(self._seen)}: give ids as "
                "they are in latents.parquet, or another source"
            )
        replaced = f"; {self._replaced} of them had another one" if self._replaced else ""
        log.info("ingest.labels: %d samples have their label from %s%s", self._found, self._files, replaced)
        if missed := len(self._labels) - self._found:
            log.warning("ingest.labels: %d ids in %s are no sample's (or of rejected ones)", missed, self._files)
