"""A table of labels beside images: read as people write it, and matched to the files that it means."""

import csv
import logging
import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from io import TextIOWrapper
from itertools import chain
from pathlib import Path, PurePosixPath

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.regular_files import opened
from ae_pipelines.samples.classes import SPLIT_NAMES
from ae_pipelines.samples.sources.folder_files import EXTENSIONS

log = logging.getLogger(__name__)

PATH_COLUMNS = ("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_id", "sample_id")
LABEL_COLUMNS = ("label", "class", "class_name", "category", "target")
LONGEST_LINE = 2**20
MOST_ROWS = 4_000_000
"""More would take more than 1 GB of memory."""
SHOWN_FIELDS = 10
AMBIGUOUS = ""
"""Stands for several files; no file has this name."""


def read_labels(path: Path, *, with_nul: bool = False) -> dict[str, str]:
    """The label of each path in a table; rows with an empty label are left out.

    Commas, semicolons or tabs; a header names one column of paths (`PATH_COLUMNS`) and one of labels (`LABEL_COLUMNS`).
    No path of a file has a NUL character, but ids of other samples may, `with_nul`.
    """
    rows = _rows(path, with_nul)
    columns = next(rows, [])
    name, label = _column(path, columns, PATH_COLUMNS), _column(path, columns, LABEL_COLUMNS)
    labels: dict[str, str] = {}
    repeated: dict[str, None] = {}
    misfits, first = 0, list[str]()
    for number, row in enumerate(rows):
        if number == MOST_ROWS:
            raise InputError(f"labels: {path} has more than {MOST_ROWS:,} rows: give fewer, or a table")
        if len(row) != len(columns):
            misfits, first = misfits + 1, first or row[:SHOWN_FIELDS]
        elif row[name] in labels:
            repeated[row[name]] = None
        else:
            labels[row[name]] = sys.intern(row[label])
    if misfits:
        raise InputError(
            f"labels: {misfits} rows of {path} have more or fewer than {len(columns)} fields, "
            f"first: {first}. Put names with a comma in quotes"
        )
    if repeated:
        raise InputError(f"labels: {path} lists {len(repeated)} files more than once: {first_of([*repeated])}")
    return {file: found for file, found in labels.items() if found.strip()}


def _rows(path: Path, with_nul: bool) -> Iterator[list[str]]:
    """The rows that are not empty, one by one: the names of the columns first."""
    try:
        with opened(path) as file:
            start = file.read(2)
            file.seek(0)
            encoding = "utf-16" if start in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
            lines = _lines(TextIOWrapper(file, encoding, newline=""))
            header = next(lines, "")
            if "\0" in header:
                raise csv.Error("it has NUL characters")
            delimiter = max(",;\t", key=header.count)
            without = (line if with_nul else _without_nul(line) for line in chain([header], lines))
            yield from filter(any, csv.reader(without, delimiter=delimiter, strict=True))
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"labels: no file {path}: give a table with a column path and a column label") from error
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"labels: cannot read {path} ({error}): expected UTF-8, comma separated") from error


def _lines(text: TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE:
            raise csv.Error(f"a line of more than {LONGEST_LINE:,} characters")
        yield line


def _without_nul(line: str) -> str:
    if "\0" in line:
        raise csv.Error("it has NUL characters")
    return line


def _column(path: Path, columns: list[str], known: tuple[str, ...]) -> int:
    """Place of the only column with one of the known names; the first of them wins."""
    names = [name.strip().casefold() for name in columns]
    for name in known:
        if names.count(name) == 1:
            return names.index(name)
        if name in names:
            break
    found = first_of(columns) or "none"
    raise InputError(f"labels: {path} has the columns {found}, expected one path and one label")


def matched(path: Path, labels: dict[str, str], ids: Iterable[str], root: Path) -> dict[str, str]:
    """The label of each file, by its id (its path below `root`).

    A row means the file with exactly its path or, among those that no row means so, the only one that has it but for
    backslashes, the Unicode form, upper and lower case, the extension if the row has none, or the folder that a bare
    name lies in. If no row means a file so, the folders above are left out that all rows share or that end in the name
    of `root`. `InputError` if still no row means a file, or two mean the same.
    """
    ids = list(ids)
    meant = _meant(labels, ids, root)
    found = {file: name for file, name in meant.items() if name}
    if labels and not found:
        raise InputError(
            f"labels: none of the {len(labels)} files that {path} lists is in {root}. It lists "
            f"{first_of([*labels], 3)}, but the files are {first_of(ids, 3)}. Give paths below {root}"
        )
    if twice := [name for name, count in Counter(found.values()).items() if count > 1]:
        rows = [file for file, name in found.items() if name == twice[0]]
        raise InputError(
            f"labels: {path} has several rows for {len(twice)} files: {twice[0]} is meant by {first_of(rows)}. "
            "Leave one of them"
        )
    _tell(path, meant, ids)
    return {name: labels[file] for file, name in found.items()}


def _meant(files: Iterable[str], ids: list[str], root: Path) -> dict[str, str | None]:
    """The id that each row's path means; `AMBIGUOUS` for several, None for none."""
    files, known = list(files), set(ids)
    meant: dict[str, str | None] = {file: file if file in known else None for file in files}
    below = {file: _below(file, root) for file in files if meant[file] is None}
    meant |= _by_spelling(below, [name for name in ids if meant.get(name) is None])
    for folder in _folders_above(below, root):
        if any(meant.values()):
            break
        inside = {file: path.removeprefix(folder) for file, path in below.items() if path.startswith(folder)}
        meant |= _by_spelling(inside, ids)
    return meant


def _by_spelling(paths: dict[str, str], ids: list[str]) -> dict[str, str | None]:
    """The id that each row's path means by the strictest spelling that fits any."""
    meant: dict[str, str | None] = dict.fromkeys(paths)
    for written, of in SPELLINGS:
        taken = set(meant.values())
        by_form: dict[str, str] = {}
        for name in ids:
            if name not in taken:
                key = of(name)
                by_form[key] = AMBIGUOUS if key in by_form else name
        for file, path in paths.items():
            if meant[file] is None and (of not in BARE_NAMES or "/" not in path):
                meant[file] = by_form.get(written(path))
    return meant


def _folders_above(below: dict[str, str], root: Path) -> list[str]:
    """What may be left out before all paths: folders that end as `root` does, then those that all rows share.

    Where a split is named (train, val ...), only the former: files of another split often have the same names.
    """
    parents = {f"{parent}/": parent.name for path in below.values() for parent in PurePosixPath(path).parents}
    shared = [folder for folder in parents if all(path.startswith(folder) for path in below.values())]
    splits = {name.casefold() for name in [root.name, *(parents[folder] for folder in shared)]} & SPLIT_NAMES
    ending = sorted((folder for folder, name in parents.items() if name == root.name), key=len)
    return ending + ([] if splits else sorted(shared, key=len))


def _below(file: str, root: Path) -> str:
    """A path with slashes, without `./`, and below the root if it is absolute and there."""
    path = os.path.normpath(file.strip().replace("\\", "/"))
    return path.removeprefix(f"{root.as_posix()}/").lstrip("/")


def _as_it_is(path: str) -> str:
    return path


def _composed(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _caseless(path: str) -> str:
    return _composed(path).casefold()


def _bare(name: str) -> str:
    """Without the extension of an image."""
    stem, extension = os.path.splitext(_caseless(name))  # noqa: PTH122  Path refuses names such as ".."
    return stem if extension in EXTENSIONS else _caseless(name)


def _last(path: str) -> str:
    return _caseless(path).rpartition("/")[2]


def _last_bare(name: str) -> str:
    return _bare(name).rpartition("/")[2]


SPELLINGS: tuple[tuple[Callable[[str], str], Callable[[str], str]], ...] = (
    *((form, form) for form in (_as_it_is, _composed, _caseless)),
    *((_caseless, of) for of in (_bare, _last, _last_bare)),
)
"""How a row's path is compared with a file's, from the strictest on."""
BARE_NAMES = {_last, _last_bare}
"""For rows without a folder only."""


def _tell(path: Path, meant: dict[str, str | None], ids: list[str]) -> None:
    """Log which rows and files were matched inexactly, or not at all."""
    inexact = [(file, name) for file, name in meant.items() if name and name != file]
    if inexact:
        example = "{} is {}".format(*inexact[0])
        log.info("%d of %d files are written otherwise in %s: %s", len(inexact), len(meant), path, example)
    if without := sorted(set(ids) - {name for name in meant.values() if name}):
        log.warning("%d of %d files have no label in %s: %s", len(without), len(ids), path, first_of(without))
    if unclear := sorted(file for file, name in meant.items() if name == AMBIGUOUS):
        log.warning("%d rows of %s may mean several files: %s", len(unclear), path, first_of(unclear))
    if gone := sorted(file for file, name in meant.items() if name is None):
        log.warning("%d files with a label in %s are not there: %s", len(gone), path, first_of(gone))
