"""What is no file: pipes, sockets, devices, folders."""

import os
import socket
from pathlib import Path

import numpy as np
import pyarrow as pa
from crafted import case

from crafted_files.images import idx
from crafted_files.openings import Opening, ingested, parquet
from crafted_files.text import images_in, labelled


def pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def named_socket(path: Path) -> Path:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
    return path


def device(path: Path, name: str) -> Path:
    path.symlink_to(name)
    return path


def given_image(path: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.samples.new_image import as_stored
        from ae_pipelines.samples.spec import SampleSpec

        return as_stored(path, SampleSpec(shape=(1, 8, 8), dtype="uint8", preprocessing={}))

    return read


def weights_in(folder: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.training.trained import TrainedModel

        return TrainedModel.load(folder)

    return read


def saved_in(path: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.downstream import saved

        return saved.read(path)

    return read


def store_in(folder: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.samples.store import Samples

        samples = Samples(folder)
        samples.read()
        return samples.index

    return read


def labels_in(path: Path) -> Opening:
    def read() -> object:
        from ae_pipelines.samples.given_labels import GivenLabels

        return GivenLabels([str(path)])

    return read


@case("a pipe as an array", short=True)
def _(folder: Path) -> Opening:
    return ingested("array", folder, path=pipe(folder / "values.npy"), layout="NF")


@case("a pipe as a table")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=pipe(folder / "rows.csv"))


@case("a pipe among the parquet files of a folder")
def _(folder: Path) -> Opening:
    parquet(pa.table({"a": np.arange(50.0)}), folder / "a.parquet")
    pipe(folder / "b.parquet")
    return ingested("table", folder, path=folder)


@case("a pipe as the labels of images", short=True)
def _(folder: Path) -> Opening:
    pipe(images_in(folder) / "labels.csv")
    return labelled(folder)


@case("a pipe as given labels")
def _(folder: Path) -> Opening:
    return labels_in(pipe(folder / "given.csv"))


@case("/dev/zero as given labels", short=True)
def _(folder: Path) -> Opening:
    return labels_in(device(folder / "given.csv", "/dev/zero"))


@case("a socket as given labels")
def _(folder: Path) -> Opening:
    return labels_in(named_socket(folder / "given.csv"))


@case("a pipe among images", refused=False)
def _(folder: Path) -> Opening:
    pipe(images_in(folder) / "pipe.png")
    return ingested("image_folder", folder, path=folder / "images")


@case("/dev/zero as an IDX file")
def _(folder: Path) -> Opening:
    opening = idx(folder, b"")
    (folder / "train-images-idx3-ubyte").unlink()
    device(folder / "train-images-idx3-ubyte", "/dev/zero")
    return opening


@case("a pipe among CIFAR-10's files")
def _(folder: Path) -> Opening:
    (folder / "data_batch_1.bin").write_bytes(bytes(30_730_000))
    for name in [*(f"data_batch_{number}.bin" for number in range(2, 6)), "test_batch.bin"]:
        pipe(folder / name)
    return ingested("cifar10", folder, path=folder)


@case("a pipe as an image to look for")
def _(folder: Path) -> Opening:
    return given_image(pipe(folder / "image.png"))


@case("/dev/zero as an image to look for")
def _(folder: Path) -> Opening:
    return given_image(Path("/dev/zero"))


@case("a folder as an image to look for")
def _(folder: Path) -> Opening:
    return given_image(folder)


@case("a pipe as weights", short=True)
def _(folder: Path) -> Opening:
    pipe(folder / "weights.safetensors")
    return weights_in(folder)


@case("/dev/zero as weights")
def _(folder: Path) -> Opening:
    device(folder / "weights.safetensors", "/dev/zero")
    return weights_in(folder)


@case("a folder as weights")
def _(folder: Path) -> Opening:
    (folder / "weights.safetensors").mkdir()
    return weights_in(folder)


@case("a pipe as a classifier")
def _(folder: Path) -> Opening:
    return saved_in(pipe(folder / "classifier.skops"))


@case("a pipe as a manifest")
def _(folder: Path) -> Opening:
    pipe(folder / "manifest.json")
    return store_in(folder)


@case("/dev/zero as a manifest")
def _(folder: Path) -> Opening:
    device(folder / "manifest.json", "/dev/zero")
    return store_in(folder)


@case("a pipe as a checkpoint")
def _(folder: Path) -> Opening:
    path = pipe(folder / "checkpoint")

    def read() -> object:
        from ae_pipelines.training.checkpoints import CheckpointFile

        return CheckpointFile(path).load()

    return read
