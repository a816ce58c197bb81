"""Seals: what a finished file or folder holds, written beside it and compared before it is read back.

A flipped bit or a cut end changes a sha256, so damage is found whatever the format. The seal of `clusters.parquet` is
`.clusters.parquet.seal` beside it, that of a folder `.seal` in it. It is there before the file gets its name, and names
the file before it too: a kill leaves a file that one of both belongs to. A file without a seal is taken as it is.

A seal also keeps what the file was made from, where somebody says so (`made_from`).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ae_pipelines.base import atomic
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.regular_files import content, opened

IN_FOLDER = ".seal"
"""Name of a folder's seal."""
AGAIN = "run the stage that makes it again"
"""What is to be done with something damaged where nobody knows which stage that is."""
LARGEST = 16 * 2**20
"""Most bytes of a seal that is read: enough for 100,000 files; read as JSON, so much may take 500 MB of memory."""


@dataclass(frozen=True)
class Seal:
    """What one finished file or folder holds."""

    files: dict[str, str]
    """sha256 of the file, or of each file in the folder, by its path there."""
    made_from: dict[str, str] = field(default_factory=dict)
    """What it was made from, by name; empty where nobody said so."""

    @property
    def sha256(self) -> str:
        """One for the whole content."""
        return canonical_sha256(self.files)


_made_from: ContextVar[Mapping[str, str] | None] = ContextVar("made_from", default=None)
_found: dict[Path, tuple[object, dict[str, str]]] = {}
"""By path: how it looked from outside when it was read, and the sha256 of its files."""


# -- writing ---------------------------------------------------------------------------------------------


@contextmanager
def made_from(inputs: Mapping[str, str]) -> Iterator[None]:
    """Seals that are written within this block say that what they seal was made from these."""
    token = _made_from.set(inputs)
    try:
        yield
    finally:
        _made_from.reset(token)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """As `atomic.replacing`; the file is sealed."""
    with atomic.temporary_beside(path) as temporary:
        yield temporary
        publish(temporary, path)


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """As `atomic.replacing_folder`; the folder is sealed, so no file in it may change later."""
    with atomic.replacing_folder(folder) as temporary:
        yield temporary
        _seal_folder(temporary)


def publish(temporary: Path, path: Path, over_folder: bool = False) -> None:
    """As `atomic.publish`; the file or folder is sealed."""
    if temporary.is_dir():
        _seal_folder(temporary)
        atomic.publish(temporary, path, over_folder)
        _beside(path).unlink(missing_ok=True)
        return
    now = _now(temporary, path.name)
    before = [seal for seal in _read(_beside(path)) if path.is_file() and seal.files == contents(path)]
    atomic.write_text(_beside(path), _text([now, *before]))
    atomic.publish(temporary, path, over_folder)
    if before:
        with atomic.temporary_beside(_beside(path)) as alone:  # it need not reach the disk: the one before fits, too
            alone.write_text(_text([now]), encoding="utf-8")
            alone.replace(_beside(path))
    _found[path] = (_looks(path), now.files)


def write_text(path: Path, text: str) -> None:
    """Replace the content of `path` atomically; the file is sealed."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, and its seal, if it is there."""
    atomic.remove(path)
    _beside(path).unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove seals of files that a killed writer did not come to, in this folder alone."""
    for place in folder.glob(f".*{IN_FOLDER}"):
        if place.name != IN_FOLDER and not (folder / place.name.removeprefix(".").removesuffix(IN_FOLDER)).exists():
            place.unlink()


# -- reading ---------------------------------------------------------------------------------------------


def check(path: Path, again: str, stages: tuple[str, ...] = ()) -> None:
    """`InputError`, which says what is to be done `again`, if the file or folder is not what was sealed.

    Nothing happens if it is not there, or has no seal. What was found whole once in this process is not read again
    until its size or its time changes.
    """
    if not path.exists():
        return
    try:
        seal_of(path)
    except ValueError as error:
        raise InputError(f"{path} is damaged ({error}): {again}", stages=stages) from error


def seal_of(path: Path) -> Seal | None:
    """The seal of what is there; None if it was never sealed. ValueError, which names files, if it is not what was
    sealed."""
    places = (path / IN_FOLDER, _beside(path)) if path.is_dir() else (_beside(path),)
    if (place := next((place for place in places if place.exists()), None)) is None:
        return None
    if not (seals := _read(place)):
        raise ValueError(f"its seal {place} cannot be read")
    found = contents(path)
    if (fitting := next((seal for seal in seals if seal.files == found), None)) is not None:
        return fitting
    altered = sorted({name for name, _ in {*found.items()} ^ {*seals[0].files.items()}})
    raise ValueError(f"{first_of(altered, 3)} is not what was written")


def contents(path: Path) -> dict[str, str]:
    """sha256 of a file, by its name; of each file in a folder but its seal, by its path there."""
    looks = _looks(path)
    if (known := _found.get(path)) is not None and known[0] == looks:
        return known[1]
    base = path if path.is_dir() else path.parent
    found = {file.relative_to(base).as_posix(): _sha256(file) for file in _files(path)}
    _found[path] = (looks, found)
    return found


def _sha256(file: Path) -> str:
    with opened(file) as bits:
        return hashlib.file_digest(bits, "sha256").hexdigest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file() and file.name != IN_FOLDER)


def _looks(path: Path) -> object:
    """What is seen of files without reading them."""
    stats = [(file, file.stat()) for file in _files(path)]
    return [(file, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for file, stat in stats]


def _seal_folder(folder: Path) -> None:
    (folder / IN_FOLDER).write_text(_text([_now(folder)]), encoding="utf-8")


def _now(path: Path, name: str = "") -> Seal:
    """Of a folder, or of a file that is to be called so."""
    found = contents(path)
    return Seal({name: found[path.name]} if name else found, dict(_made_from.get() or {}))


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}{IN_FOLDER}")


def _text(seals: list[Seal]) -> str:
    plain = [asdict(seal) for seal in seals]
    return json.dumps({"seals": plain, "sha256": canonical_sha256(plain)}, indent=1)


def _read(place: Path) -> list[Seal]:
    """None at all if there is none, or a damaged one."""
    try:
        found = json.loads(content(place, LARGEST))
        if found["sha256"] != canonical_sha256(found["seals"]):
            return []
        return [Seal(dict(seal["files"]), dict(seal["made_from"])) for seal in found["seals"]]
    except PermissionError:
        raise  # it is whole, and another user's
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return []
