"""What a label is: the name of a class, the same from every source, or none; and what is odd about labels."""

import logging
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from pydantic import BeforeValidator

from ae_pipelines.base.errors import InputError, first_of

log = logging.getLogger(__name__)

WHOLE = re.compile(r"(-?)(0|[1-9]\d*)\.0+")
"""A whole number that was written as a float."""
UNSURE = {
    *("nan", "none", "null", "nil", "na", "n/a", "<na>", "nat", "?", "-", "--", ".", "missing", "undefined"),
    *("unknown", "unlabelled", "unlabeled", "unlabel", "unclassified", "unsorted", "unassigned", "untagged", "misc"),
    *("no label", "no_label", "not labelled", "not_labelled", "todo", "tbd"),
}
"""Names, in lower case, that may be a class or mean that there is none."""
SPLIT_NAMES = {"train", "training", "test", "testing", "val", "valid", "validation", "ground_truth", "masks"}
"""Names, in lower case, that say where samples lie rather than what they are."""
LARGEST_SHARE = 0.8
"""A class with more of the labelled samples than this is told."""
FEWEST = 10
"""A class with fewer samples than this is told."""
FIRST = 10
"""How many classes are listed."""
SAME_AS_MANY = 0.5
"""As many classes as this share of the labelled samples are ids or measurements rather than classes."""


def label_name(value: Any) -> str | None:
    """The class that a value of any source names; None for null, NaN, NaT and blank text.

    Text is stripped. 1, 1.0 and "1.0" are "1", "007" stays as it is, truth values are "true" and "false".
    `InputError` for what is no label: lists, structs, broken text.
    """
    if isinstance(value, str):
        return _name_of_text(value)
    if isinstance(value, bytes):
        try:
            return _name_of_text(value.decode())
        except UnicodeDecodeError as error:
            raise InputError(f"the label {value!r} is not UTF-8: save labels as text") from error
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, Sequence | Mapping | np.ndarray | set):
        raise InputError(f"a label is {value!r:.80}, a {type(value).__name__}: give one name or number for each sample")
    if value is None or str(value) in ("<NA>", "NaT", "nan", "NaN"):
        return None
    return _name_of_text(str(value))


def _name_of_text(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"the label {text!r} is not valid text: save the labels again, as UTF-8") from error
    name = text.strip()
    if whole := WHOLE.fullmatch(name):
        sign, number = whole.groups()
        return number if number == "0" else sign + number
    return name or None


def _names(given: Any) -> Any:
    """Options as they are typed: one value, or several."""
    if given is None:
        return None
    several = given if isinstance(given, list | tuple | set) else [given]
    return tuple(name for name in map(label_name, several) if name is not None)


Unlabelled = Annotated[tuple[str, ...] | None, BeforeValidator(_names)]
"""Labels that mean that there is none, beside null and blank; None: such ones are asked about, and () means that all
labels are classes."""


@runtime_checkable
class PartlyLabelled(Protocol):
    """A source that is told which of its labels mean none."""

    @property
    def unlabelled(self) -> tuple[str, ...] | None: ...


class LabelReader:
    """Turns the labels of a source, as it holds them, into names of classes."""

    def __init__(self, unlabelled: Iterable[str] = ()) -> None:
        self._unlabelled = dict.fromkeys(unlabelled, 0)
        self._known: dict[str, str | None] = {}
        self._stripped: dict[str, int] = {}

    def names(self, values: Iterable[Any]) -> list[str | None]:
        """The class of each; None: unlabelled."""
        return [self._text(value) if type(value) is str else self._named(label_name(value)) for value in values]

    def tell(self) -> None:
        """Log what was done to labels, and which names of `unlabelled` did not occur."""
        if self._stripped:
            examples = first_of([repr(text) for text in self._stripped], 5)
            log.warning("stripped the blanks around %d labels, such as %s", sum(self._stripped.values()), examples)
        if unused := [name for name, count in self._unlabelled.items() if not count]:
            log.warning("no sample has the label %s that source.unlabelled names", first_of([*map(repr, unused)]))
        if counts := {name: count for name, count in self._unlabelled.items() if count}:
            found = ", ".join(f"{count} {name!r}" for name, count in counts.items())
            log.info("unlabelled, as source.unlabelled says: %s", found)

    def _text(self, text: str) -> str | None:
        if text not in self._known:
            self._known[text] = _name_of_text(text)
            if (name := text.strip()) and name != text:
                self._stripped[text] = 0
        if text in self._stripped:
            self._stripped[text] += 1
        return self._named(self._known[text])

    def _named(self, name: str | None) -> str | None:
        if name in self._unlabelled:
            self._unlabelled[name] += 1
            return None
        return name


def tell_classes(counts: Mapping[str, int], samples: int, unlabelled: tuple[str, ...] | None = None) -> None:
    """Log the classes with their counts, and a warning for each thing about them that is odd.

    `counts` are the labelled samples by class, `samples` is the number of all; names that may mean "no label" are
    asked about unless `unlabelled` settles what they are.
    """
    labelled = sum(counts.values())
    if not labelled:
        log.info("labels: none of the %d samples has one", samples)
        return
    largest = Counter(dict(counts)).most_common(FIRST)
    listed = ", ".join(f"{name!r} {count:,}" for name, count in largest)
    rest = len(counts) - len(largest)
    if rest:
        listed += f", and {rest:,} more with {labelled - sum(count for _, count in largest):,}"
    log.info(
        "labels: %s of %s samples have one, %d class%s: %s",
        *(f"{labelled:,}", f"{samples:,}", len(counts), "" if len(counts) == 1 else "es", listed),
    )
    for warning in oddities(counts, unlabelled):
        log.warning("%s", warning)


def oddities(counts: Mapping[str, int], unlabelled: tuple[str, ...] | None = None) -> list[str]:
    """One sentence for each thing about the classes that is odd, with what to do about it."""
    labelled = sum(counts.values())
    return [
        sentence
        for sentence in (
            _unsure(counts) if unlabelled is None else None,
            _misread_folders(counts),
            _spelled_twice(counts),
            _too_many(counts, labelled),
            _one_sided(counts, labelled),
            _too_small(counts, labelled),
        )
        if sentence
    ]


def _unsure(counts: Mapping[str, int]) -> str | None:
    """`-1` is asked about where all labels are whole numbers, and names in `UNSURE` everywhere."""
    found = {name: count for name, count in counts.items() if name.casefold() in UNSURE}
    if "-1" in counts and all(re.fullmatch(r"-?\d+", name) for name in counts if name not in found):
        found["-1"] = counts["-1"]
    if not found:
        return None
    many = first_of([f"{name!r} ({count:,})" for name, count in found.items()])
    names = ",".join(f'"{name}"' for name in found)
    return (
        f"are samples with the label {many} of a class, or without a label? They are taken as a class; "
        f"source.unlabelled=[{names}] says that they have no label, source.unlabelled=[] that all labels are classes"
    )


def _misread_folders(counts: Mapping[str, int]) -> str | None:
    found = [name for name in counts if name.casefold() in SPLIT_NAMES]
    if not found:
        return None
    return (
        f"classes are called {first_of([*map(repr, sorted(found))])}, which says where samples lie rather than what "
        "they are: if these are folders, source.layout_of_folders=splits reads the split and then the class"
    )


def _spelled_twice(counts: Mapping[str, int]) -> str | None:
    spellings = defaultdict(list)
    for name in sorted(counts):
        folded = unicodedata.normalize("NFKC", name).casefold()
        spellings[re.sub(r"[\s_]+", "", folded)].append(name)
    twins = [names for names in spellings.values() if len(names) > 1]
    if not twins:
        return None
    listed = first_of([" and ".join(f"{name!r} ({counts[name]:,})" for name in names) for names in twins], 5)
    return f"classes differ only by case, blanks or the form of a letter: {listed}. Spell them alike if they are one"


def _too_many(counts: Mapping[str, int], labelled: int) -> str | None:
    if len(counts) < 2 * FEWEST or len(counts) < SAME_AS_MANY * labelled:
        return None
    return (
        f"{len(counts):,} classes in {labelled:,} labelled samples: such labels are ids or measurements rather than "
        "classes. Give another column, or none"
    )


def _one_sided(counts: Mapping[str, int], labelled: int) -> str | None:
    name, count = Counter(dict(counts)).most_common(1)[0]
    if count <= LARGEST_SHARE * labelled:
        return None
    if len(counts) == 1:
        return f"all {labelled:,} labelled samples are {name!r}: there is nothing to classify"
    return (
        f"{count / labelled:.0%} of the labelled samples are {name!r}: a classifier that always says so is right as "
        "often, so compare with that. If it means that there is no label, give source.unlabelled"
    )


def _too_small(counts: Mapping[str, int], labelled: int) -> str | None:
    small = sorted((count, name) for name, count in counts.items() if count < FEWEST)
    if not small or _too_many(counts, labelled):
        return None
    listed = first_of([f"{name!r} {count}" for count, name in small])
    return f"{len(small)} of {len(counts)} classes have fewer than {FEWEST} samples, too few to measure them: {listed}"
