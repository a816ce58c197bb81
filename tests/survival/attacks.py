"""What attacks share."""

import os

LONG = os.environ.get("AE_SURVIVE") == "long"


def tries(short: int, long: int) -> int:
    """How often something is tried: seldom in `make test`, often in `make survive`."""
    return long if LONG else short
