"""Samples, sources and files for tests."""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ae_pipelines.base.errors import Unusable
from ae_pipelines.samples.source import Block, EncodedBlock
from ae_pipelines.samples.sources.idx import IdxFolder
from ae_pipelines.samples.spec import SampleSpec

PROJECT = Path(__file__).parents[1]
PATIENCE = 600.0
"""Seconds to wait, at most, for what a process does: machines that have other work to do are slow."""


class ArraySource:
    """Arrays as a source, for tests."""

    name = "array"

    def __init__(self, values: np.ndarray, labels=None, splits=None, ids=None) -> None:
        self.values, self.labels, self.splits, self.ids = values, labels, splits, ids

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=self.values.shape[1:], dtype=str(self.values.dtype))

    def count(self) -> int:
        return len(self.values)

    def blocks(self) -> Iterator[Block]:
        ids = self.ids or [f"array/{row}" for row in range(len(self.values))]
        yield Block(self.values, ids, self.labels, self.splits)


def names_in(folder: Path) -> list[str]:
    """Names of what is in a folder but seals, sorted."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".seal"))


def files_of_store(folder: Path) -> dict[str, bytes]:
    """Everything that a store consists of, but for the report on how it came about."""
    report = ("last_ingest.json", ".last_ingest.json.seal", ".lock")
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.name not in report}


def batch_of(x, layout=None):
    """A batch whose samples are x (batch, ...), uncorrupted."""
    import torch

    from ae_pipelines.models.batch import Batch

    return Batch(x, x.detach(), torch.arange(len(x)), layout=layout)


def images(count: int, shape: tuple[int, ...] = (1, 6, 5), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


IMAGES = np.random.default_rng(0).integers(0, 256, (32, 5, 4), dtype=np.uint8)
LABELS = (np.arange(32) % 10).astype(np.uint8)


def idx(array, kind=0x08):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, kind, array.ndim, *array.shape)
    return header + array.tobytes()


def mnist_folder(folder, **replaced):
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "train-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES)),
        "train-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS)),
        "t10k-images-idx3-ubyte.gz": gzip.compress(idx(IMAGES[:8])),
        "t10k-labels-idx1-ubyte.gz": gzip.compress(idx(LABELS[:8])),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    for name, content in replaced.items():
        (folder / f"{name.replace('_', '-')}-ubyte.gz").write_bytes(content)
    return IdxFolder(path=folder, name="mnist")


def decode_pixels(content: bytes) -> np.ndarray:
    """30 bytes are a sample; others cannot be used."""
    if len(content) != 30:
        raise Unusable(content.decode() or "empty file")
    return np.frombuffer(content, np.uint8).reshape(1, 6, 5)


class EncodedPixels:
    """Encoded samples as a source: workers decode them. Ids are names of the contents."""

    name = "pixels"
    decode = staticmethod(decode_pixels)

    def __init__(self, contents: dict[str, bytes], preprocessing: dict | None = None) -> None:
        self.contents, self.preprocessing = contents, preprocessing or {}

    def spec(self) -> SampleSpec:
        return SampleSpec(shape=(1, 6, 5), dtype="uint8", preprocessing=self.preprocessing)

    def decoding(self) -> dict:
        return {}

    def count(self) -> int:
        return len(self.contents)

    def blocks(self) -> Iterator[EncodedBlock]:
        names = sorted(self.contents)
        for start in range(0, len(names), 100):
            part = names[start : start + 100]
            yield EncodedBlock([self.contents[name] for name in part], part, [name[0] for name in part])


def pixels(count: int, seed: int = 0) -> dict[str, bytes]:
    """Contents of `EncodedPixels`, all different."""
    return {f"{row:05d}": values.tobytes() for row, values in enumerate(images(count, seed=seed))}
