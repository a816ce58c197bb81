"""How numbers are written where people read them."""

import math


def with_deviation(mean: float, deviation: float) -> str:
    """Mean and deviation, both with as many decimals as the two leading digits of the deviation have: 15.00 ± 0.20."""
    if not (math.isfinite(deviation) and deviation > 0):
        return f"{mean:.4g} ± {deviation:.2g}"
    decimals = max(0, 1 - math.floor(math.log10(deviation)))
    return f"{mean:.{decimals}f} ± {deviation:.{decimals}f}"
