"""The one error that says: what you gave cannot be used, and this is what can."""


class InputError(ValueError):
    """Bad input: the message says what was given, what was expected and what to do."""


def suggestion(given: str, known: list[str]) -> str:
    """A closing sentence for an unknown name: what is known, and the nearest of it."""
    from difflib import get_close_matches

    near = get_close_matches(given, known, 1)
    return f"known: {', '.join(known)}." + (f" Did you mean {near[0]!r}?" if near else "")
