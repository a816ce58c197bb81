"""The classes that samples have, with their counts, and what is odd about them."""

import logging
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping

from ae_pipelines.base.errors import first_of

log = logging.getLogger(__name__)

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
