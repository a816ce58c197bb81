"""Errors that say what was given, why it cannot be used, and what to give instead."""

from collections.abc import Iterator, Mapping, Sequence


class InputError(ValueError):
    """Bad input: the message says what was given, what was expected and what to do.

    The caller may add how that is done in its own terms: `stages` are the ones to run, `options` those to give, by
    dotted name, with a value or a placeholder.
    """

    def __init__(self, message: str, *, stages: Sequence[str] = (), options: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.stages, self.options = tuple(stages), dict(options or {})


class NothingThere(InputError):  # noqa: N818
    """There are no samples where some may be; not an error for work that runs every night."""


class TooFewLabels(InputError):  # noqa: N818
    """There are too few labels for what needs some; not an error for work that has more to do."""


class Unusable(Exception):  # noqa: N818
    """One of many samples cannot be used; the message is the reason, worded the same for faults of one kind."""


def first_of(names: Sequence[str], most: int = 10) -> str:
    """The first `most` of these names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def caused_by(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it comes from; the chain may go round in a circle."""
    visited: list[BaseException] = []
    while error is not None and error not in visited:
        yield error
        visited.append(error)
        error = error.__cause__ or error.__context__


LONGEST = 2500
"""The longest message, in characters."""


def shortened(text: str) -> str:
    """A message, without its middle if it repeats something very long."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"


def suggestion(given: str, known: list[str]) -> str:
    """A closing sentence for an unknown name: the known names, and the closest of them."""
    from difflib import get_close_matches

    closest = get_close_matches(given, known, 1)
    return f"known: {', '.join(known)}." + (f" Did you mean {closest[0]!r}?" if closest else "")
