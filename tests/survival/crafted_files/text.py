"""CSV and files of labels."""

import gzip
from pathlib import Path

from crafted import case

from crafted_files.openings import MB, Opening, ingested, png, zeros


def written(path: Path, *pieces: bytes, times: int = 1) -> Path:
    with path.open("wb") as file:
        file.write(pieces[0])
        for _ in range(times):
            file.write(pieces[1] if len(pieces) > 1 else b"")
        for piece in pieces[2:]:
            file.write(piece)
    return path


@case("CSV: a line of 1 GB")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,b\n1,", b"1" * MB, b"\n2,3\n", times=1000))


@case("CSV: a first line of 1 GB")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,", b"b" * MB, b"\n2,3\n", times=1000))


@case("CSV: an open quote and 200 MB")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b'a,b\n1,2\n1,"', b"1,2\n" * MB, times=50))


@case("CSV: a million columns", short=True)
def _(folder: Path) -> Opening:
    names = ",".join(f"c{number}" for number in range(10**6)).encode()
    return ingested("table", folder, path=written(folder / "rows.csv", names + b"\n", b"1," * (10**6 - 1) + b"1\n"))


@case("CSV: a million columns in the second line")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,b\n", b"1," * (10**6 - 1) + b"1\n"))


@case("CSV: gzipped zeros")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", gzip.compress(zeros(200 * MB))))


@case("CSV: 300 MB of NUL")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"", zeros(MB), times=300))


@case("CSV: 300 MB of empty lines")
def _(folder: Path) -> Opening:
    return ingested("table", folder, path=written(folder / "rows.csv", b"a,b\n", b"\n" * MB, times=300))


def images_in(folder: Path, count: int = 20) -> Path:
    (images := folder / "images").mkdir()
    for number in range(count):
        (images / f"{number}.png").write_bytes(png(8, 8, bytes([0, *([number * 10] * 8)]) * 8))
    return images


def labelled(folder: Path) -> Opening:
    return ingested("image_folder", folder, path=folder / "images", labels="file")


@case("labels: a file of 600 MB", short=True)
def _(folder: Path) -> Opening:
    written(images_in(folder) / "labels.csv", b"path,label\n0.png,a\n", b"1.png,b\n" * (MB // 8), times=600)
    return labelled(folder)


@case("labels: 10 million rows that are too long")
def _(folder: Path) -> Opening:
    written(images_in(folder) / "labels.csv", b"path,label\n0.png,a\n", b"1,b,c\n" * 10**6, times=10)
    return labelled(folder)


@case("labels: a line of 200 MB")
def _(folder: Path) -> Opening:
    written(images_in(folder) / "labels.csv", b"path,label\n0.png,", b"a" * MB, times=200)
    return labelled(folder)


@case("labels: given ones, 600 MB")
def _(folder: Path) -> Opening:
    path = written(folder / "given.csv", b"path,label\n0.png,a\n", b"1.png,b\n" * (MB // 8), times=600)

    def read() -> object:
        from ae_pipelines.samples.given_labels import GivenLabels

        return GivenLabels([str(path)])

    return read
