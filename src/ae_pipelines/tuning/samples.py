"""The samples of a study: some of the train split to learn from, others to judge by, in a store of their own.

The test split of what is tuned for is not in it, so that nothing that a trial does can touch it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ae_pipelines.base import seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.source import Block
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples

MOST_JUDGING = 4
"""At most one of so many samples judges."""
MOST_PREFERRED = 2
"""Where few samples have a label, at most one of so many is taken for its label."""
FEWEST = 10
"""With fewer samples that judge there is no telling trials apart."""
PICKED = "picked.json"
"""Says what the store was picked from; written last."""
BLOCK_BYTES = 4 * 2**20
KEY = slice(16, 32)
"""The part of a content's sha256 that they are picked by: what is before decides on other splits."""


def study_samples(samples: Samples, learn: int | None, judge: int, folder: Path) -> Samples:
    """A store in `folder` with at most `learn` samples of the train split, as its train split, and at most `judge`
    others, as its test split; found again if it is there.

    Those that judge are at most a quarter; `learn` None: all others. They are picked by content, so a pick neither
    depends on the order of samples nor changes much as samples are added, and no content is on both sides. Where less
    samples have a label than would be picked so, labelled ones are preferred, for up to half of the places.
    `InputError` if there are too few.
    """
    key = canonical_sha256([samples.id, learn, judge, MOST_JUDGING, MOST_PREFERRED])
    if (found := _found(folder, key)) is not None:
        return found
    split_of = _picked(samples, learn, judge)
    seals.remove(folder / PICKED)
    written = write_store(folder, _Picked(samples, split_of))
    seals.write_text(folder / PICKED, json.dumps({"key": key, "id": written.id}))
    return written


def _found(folder: Path, key: str) -> Samples | None:
    if not (folder / PICKED).exists() or not (folder / "manifest.json").exists():
        return None
    seals.check(folder / PICKED, "remove it, and the samples are picked again")
    kept, samples = json.loads((folder / PICKED).read_text()), Samples(folder)
    return samples if kept == {"key": key, "id": samples.id} else None


def _picked(samples: Samples, learn: int | None, judge: int) -> pd.Series:
    """The split in the study of each sample that is picked, by its position, in order."""
    train = _train_split(samples)
    judging = min(judge, len(train) // MOST_JUDGING)
    _refuse_too_few(len(train), learn, judge, judging)
    learning = len(train) - judging if learn is None else min(learn, len(train) - judging)
    train = train.sort_values("key", kind="stable")
    judging_parts, learning_parts = list[pd.Series](), list[pd.Series]()
    groups = [train.loc[train["labelled"], "key"], train.loc[~train["labelled"], "key"]]
    for group, count in zip(groups, _shares(len(groups[0]), len(groups[1]), judging + learning), strict=True):
        first = round(count * judging / (judging + learning))
        judging_parts.append(group[:first])
        learning_parts.append(group[first:count])
    judges, learners = pd.concat(judging_parts), pd.concat(learning_parts)
    learners = learners[~learners.isin(judges)]  # content that is there more than once
    return pd.Series({**dict.fromkeys(judges.index, "test"), **dict.fromkeys(learners.index, "train")}).sort_index()


def _train_split(samples: Samples) -> pd.DataFrame:
    """By position: whether a sample is `labelled`, and its `key`, a number that depends on its content alone."""
    parts, start = [], 0
    for batch in samples.index_batches("split", "label", "sha256"):
        rows = np.flatnonzero(batch.column("split").to_numpy(False) == "train")
        some = batch.take(pa.array(rows))
        keys = np.array([int(sha256[KEY], 16) for sha256 in some.column("sha256").to_pylist()], np.uint64)
        labelled = some.column("label").is_valid().to_numpy(False)
        parts.append(pd.DataFrame({"key": keys, "labelled": labelled.astype(bool)}, index=start + rows))
        start += len(batch)
    return pd.concat(parts)


def _shares(labelled: int, unlabelled: int, count: int) -> tuple[int, int]:
    """How many of `count` picked samples have a label, and how many have none."""
    even = round(count * labelled / (labelled + unlabelled))
    wanted = min(labelled, max(even, count // MOST_PREFERRED, count - unlabelled))
    return wanted, count - wanted


def _refuse_too_few(train: int, learn: int | None, judge: int, judging: int) -> None:
    if judge < FEWEST:
        raise InputError(
            f"tune.judge={judge} samples cannot tell trials apart: give at least {FEWEST}, better 1,000 or more",
            options={"tune.judge": "2000"},
        )
    if learn is not None and learn < FEWEST:
        raise InputError(
            f"from tune.learn={learn} samples nothing is learned: give at least {FEWEST}, better all there is time for",
            options={"tune.learn": "6000"},
        )
    if judging < FEWEST:
        raise InputError(
            f"the train split has {train} samples, of which one in {MOST_JUDGING} would judge trials: a study needs at "
            f"least {MOST_JUDGING * FEWEST}. Give more samples"
        )


@dataclass(frozen=True)
class _Picked:
    """Some samples of a store as a source, as they are stored."""

    samples: Samples
    split_of: pd.Series
    """By position, in order."""

    @property
    def name(self) -> str:
        return self.samples.manifest.source

    def spec(self) -> SampleSpec:
        return self.samples.spec

    def count(self) -> int:
        return len(self.split_of)

    def blocks(self) -> Iterator[Block]:
        size = max(1, BLOCK_BYTES // self.samples.spec.sample_bytes)
        start = 0
        for batch in self.samples.index_batches("sample_id", "label", "sha256"):
            here = self.split_of[(self.split_of.index >= start) & (self.split_of.index < start + len(batch))]
            for first in range(0, len(here), size):
                splits = here.iloc[first : first + size]
                rows = splits.index.to_numpy(np.int64)
                about = batch.take(pa.array(rows - start))
                ids, labels, sha256 = (about.column(name).to_pylist() for name in about.schema.names)
                yield Block(self.samples.take(rows), ids, labels, splits.tolist(), sha256)
            start += len(batch)
