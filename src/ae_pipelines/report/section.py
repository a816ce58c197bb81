"""A part of the page."""

from dataclasses import dataclass, field

import numpy as np
from markupsafe import Markup


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading of its own."""

    name: str
    """Its anchor: `#groups`."""
    title: str
    html: Markup
    """What stands below the title. Samples in it are named by their row in the store."""
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    """Rows of the samples that it shows; each gets a thumbnail, whether it is on the map or not."""
