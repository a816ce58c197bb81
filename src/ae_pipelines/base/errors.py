"""The errors that say: what you gave cannot be used, and this is what can."""

from collections.abc import Mapping, Sequence


class InputError(ValueError):
    """Bad input: the message says what was given, what was expected and what to do.

    What starts the work may add how that is done there: it is told the `stages` to run and the `options` to give, by
    dotted name, with a value or what stands for one.
    """

    def __init__(self, message: str, *, stages: Sequence[str] = (), options: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.stages, self.options = tuple(stages), dict(options or {})


class NothingThere(InputError):  # noqa: N818
    """A place where samples may be has none: for work that comes back every night no fault."""


class Unusable(Exception):  # noqa: N818
    """One sample of many cannot be used; the message is the reason, worded alike for faults of one kind."""


def first_of(names: Sequence[str], most: int = 10) -> str:
    """The first of these, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def suggestion(given: str, known: list[str]) -> str:
    """A closing sentence for an unknown name: what is known, and the nearest of it."""
    from difflib import get_close_matches

    near = get_close_matches(given, known, 1)
    return f"known: {', '.join(known)}." + (f" Did you mean {near[0]!r}?" if near else "")
