"""What looks like a password or a key, by its name or by what it is; such things are neither recorded nor shown."""

import logging
import re
from collections.abc import Iterator
from typing import Any

NAME = re.compile(
    r"password|passwd|secret|token|credential|(?:api|access|private|account)_?key|connection_?string"
    r"|(?<![a-z])(?:pwd|dsn)(?![a-z])",
    re.IGNORECASE,
)
"""In the name of a parameter."""
HIDDEN = "***"
IN_ADDRESS = re.compile(
    r"(?P<before>(?:[a-z][a-z0-9+.-]{0,30}://|\b[a-z][a-z0-9+.-]{1,30}:/)[^\s/:@'\"]{0,500}:)"
    r"(?:[^\s/'\"]{1,5000}|(?!\d{0,9}/)[^\s@'\"]{1,5000}(?:@[^\s/@'\"]{0,5000}){0,9})(?=@)",  # :8080/ begins a path
    re.IGNORECASE,
)
"""The password in scheme://user:password@host, which may hold a / too: databases take that. A path has one / left.
Here and below each part is bounded, so that the time grows with the length of a text and not with its square."""
ASSIGNED = re.compile(
    r"(?P<before>(?:passw(?:or)?d|passphrase|(?<![a-z])(?:pwd|secret|token|sig|signature)"
    r"|(?:api|access|private|account)_?key)(?:=|['\"]\s?:\s?(?=['\"])))"  # a dict is shown with quotes
    r"(?:'[^']{1,1000}'|\"[^\"]{1,1000}\"|\{[^}]{1,1000}\}|[^\s&;,'\"]+)",
    re.IGNORECASE,
)
"""What follows in ?token=..., Password={...}; password='...' or {'password': '...'}."""
WELL_KNOWN = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"  # Amazon
    r"|\beyJ[\w-]{8,1000}\.[\w-]{8,8000}\.[\w-]{8,}"  # JSON Web Token
    r"|(?<=Authorization: )(?:Basic|Bearer) \S+"
    r"|\bgh[opsur]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeoprs]-[\w-]{10,}|\bhf_[A-Za-z0-9]{30,}|\bAIza[\w-]{35}\b|\bsk-(?:ant|proj|svcacct)-[\w-]{20,}",
    re.DOTALL,
)


def without_secrets(text: str) -> str:
    """The text with *** for passwords in addresses (`scheme://user:***@host`) and assignments, and for keys that can be
    told by their form."""
    for found in (IN_ADDRESS, ASSIGNED):
        text = found.sub(rf"\g<before>{HIDDEN}", text)
    return WELL_KNOWN.sub(HIDDEN, text)


def secrets_among(value: Any, name: str = "") -> Iterator[str]:
    """The dotted names of what looks like a secret: {"a": [{"pwd": 1}]} → a.0.pwd."""
    if NAME.search(name) or _holds_one(name):
        yield without_secrets(name)
    elif isinstance(value, dict | list | tuple):
        for inner, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from secrets_among(item, f"{name}.{inner}" if name else str(inner))
    elif _holds_one(str(value)):
        yield name


def _holds_one(text: str) -> bool:
    return any(found.search(text) for found in (IN_ADDRESS, ASSIGNED, WELL_KNOWN))


class Discreet(logging.Formatter):
    """Log lines as another formatter writes them, tracebacks too, without secrets."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(self._inner.format(record))
