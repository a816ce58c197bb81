"""Parameters as MLflow takes them: flat text, without secrets."""

import re
from typing import Any

SECRET = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)
NOT_IN_NAMES = re.compile(r"[^/\w.\- :]")
"""What MLflow does not take in the name of a parameter or a metric: names of entries and choices may have it."""
LONGEST_VALUE = 6000
"""The longest parameter that MLflow takes, in characters."""


def secrets_among(values: dict[str, Any]) -> list[str]:
    """The dotted names that look like secrets."""
    return [name for name in flat(values) if SECRET.search(name)]


def recorded(values: dict[str, Any]) -> dict[str, str]:
    """Nested values by dotted name, without those that look like secrets; _ for letters that MLflow refuses there."""
    return {NOT_IN_NAMES.sub("_", name): text for name, text in flat(values).items() if not SECRET.search(name)}


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Nested values by dotted name: {"a": {"b": 1}} → {"a.b": "1"}; options with their defaults."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict) and (value or not name):
        return {
            key: text
            for inner, part in value.items()
            for key, text in flat(part, f"{name}.{inner}" if name else str(inner)).items()
        }
    return {name: str(value)[:LONGEST_VALUE]}
