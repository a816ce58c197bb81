"""Parameters as MLflow takes them: flat text, without secrets."""

import re
from typing import Any

from ae_pipelines.base.secrets import secrets_among

NOT_IN_NAMES = re.compile(r"[^/\w.\- :]")
"""What MLflow does not take in the name of a parameter or a metric: names of entries and choices may have it."""
LONGEST_VALUE = 6000
"""The longest parameter that MLflow takes, in characters."""


def recorded(values: dict[str, Any]) -> dict[str, str]:
    """Nested values by dotted name, without those that look like secrets; _ for letters that MLflow refuses there."""
    return {
        NOT_IN_NAMES.sub("_", name): str(value)[:LONGEST_VALUE]
        for name, value in flat(values).items()
        if not list(secrets_among(value, name))
    }


def flat(value: Any, name: str = "") -> dict[str, Any]:
    """Nested values by dotted name: {"a": {"b": 1}} → {"a.b": 1}; options with their defaults."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict) and (value or not name):
        return {
            key: part
            for inner, item in value.items()
            for key, part in flat(item, f"{name}.{inner}" if name else str(inner)).items()
        }
    return {name: value}
