"""What `growth.py` measures on: images, a table and latents of any number of rows, made up block by block."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ae_pipelines.latents.parquet import SCHEMA
from ae_pipelines.latents.stream import LatentBlock, LatentStream, write_latents
from ae_pipelines.samples.source import Block, EncodedBlock
from ae_pipelines.samples.spec import SampleSpec

GROUPS, SIZE, SIDE = 10, 32, 8
"""Groups that samples are of, numbers in a latent (and columns of the table), pixels of an image's side."""
LABELLED = 50
"""One row of so many has a label: its group."""
DUPLICATES = 1000
"""One encoded image of so many is the one before it again."""
BLOCK = 8192


@dataclass(frozen=True)
class MadeImages:
    """uint8 images, each the pattern of its group with noise."""

    rows: int
    name = "made"

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=(1, SIDE, SIDE), dtype="uint8")

    def count(self) -> int:
        return self.rows

    def blocks(self) -> Iterator[Block]:
        for places in _places(self.rows):
            values = _images(places)
            yield Block(values, _names(places), _labels(places))


@dataclass(frozen=True)
class MadeEncoded:
    """The same images as content that is yet to be decoded, so that equal content is kept once."""

    rows: int
    name = "made"

    @property
    def decode(self) -> Callable[[bytes], np.ndarray]:
        return as_image

    def spec(self) -> SampleSpec:
        return MadeImages(self.rows).spec()

    def decoding(self) -> dict[str, str]:
        return {"decoded": "as it is"}

    def count(self) -> int:
        return self.rows

    def blocks(self) -> Iterator[EncodedBlock]:
        for places in _places(self.rows):
            contents = [image.tobytes() for image in _images(places)]
            for place in range(DUPLICATES - 1, len(contents), DUPLICATES):
                contents[place] = contents[place - 1]
            yield EncodedBlock(contents, _names(places), _labels(places))


def as_image(content: bytes) -> np.ndarray:
    """(1, height, width) of content."""
    return np.frombuffer(content, np.uint8).reshape(1, SIDE, SIDE)


def make_table(folder: Path, rows: int) -> None:
    """`table.parquet`: an id, a label, and `SIZE` numbers with two decimals."""
    names = [f"column {number}" for number in range(SIZE)]
    fields = [("id", pa.string()), ("label", pa.string()), *((name, pa.float32()) for name in names)]
    with pq.ParquetWriter(folder / "table.parquet", pa.schema(fields)) as file:
        for places in _places(rows):
            columns = {"id": _names(places), "label": _labels(places)}
            vectors = _vectors(places).round(2)
            columns |= {name: vectors[:, number] for number, name in enumerate(names)}
            file.write_table(pa.table(columns, file.schema))


def make_latents(folder: Path, rows: int) -> None:
    """`latents.parquet`: a mixture of `GROUPS` normal distributions in `SIZE` dimensions, five in six rows of the train
    split, with reconstruction errors."""
    blocks = (LatentBlock(_vectors(places), _errors(places)) for places in _places(rows))
    stream = LatentStream(map(_ids, _places(rows)), blocks, {"encoder_sha256": "made up"})
    write_latents(folder / "latents.parquet", stream)


MADE: dict[str, Callable[[Path, int], None]] = {"table": make_table, "latents": make_latents}
"""What stages may need beside what others leave: made into a folder, and not measured."""


def _places(rows: int) -> Iterator[np.ndarray]:
    for start in range(0, rows, BLOCK):
        yield np.arange(start, min(start + BLOCK, rows))


def _groups(places: np.ndarray) -> np.ndarray:
    """A group for each row, which does not depend on how many rows there are."""
    return _drawn(places, 0).integers(0, GROUPS, len(places))


def _drawn(places: np.ndarray, purpose: int) -> np.random.Generator:
    return np.random.default_rng((purpose, int(places[0])))


def _names(places: np.ndarray) -> list[str]:
    return [f"made/{place:09d}" for place in places]


def _labels(places: np.ndarray) -> list[str | None]:
    some = places % LABELLED == 0
    return [str(group) if known else None for group, known in zip(_groups(places), some, strict=True)]


def _images(places: np.ndarray) -> np.ndarray:
    patterns = np.random.default_rng(1).integers(0, 192, (GROUPS, 1, SIDE, SIDE), np.uint8)
    return patterns[_groups(places)] + _drawn(places, 2).integers(0, 64, (len(places), 1, SIDE, SIDE), np.uint8)


def _vectors(places: np.ndarray) -> np.ndarray:
    centres = np.random.default_rng(3).normal(0, 2, (GROUPS, SIZE)).astype(np.float32)
    return centres[_groups(places)] + 2 * _drawn(places, 4).standard_normal((len(places), SIZE), np.float32)


def _errors(places: np.ndarray) -> np.ndarray:
    return _drawn(places, 5).gamma(2, 0.01, len(places)).astype(np.float32)


def _ids(places: np.ndarray) -> pa.RecordBatch:
    train = places % 6 > 0
    columns = {
        "sample_id": _names(places),
        "split": np.where(train, "train", "test"),
        "label": _labels(places),
        "seen": train,
    }
    return pa.RecordBatch.from_pydict(columns, SCHEMA)
