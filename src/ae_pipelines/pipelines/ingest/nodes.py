"""A source becomes the sample store."""

from ae_pipelines.samples import Samples, Source


def store(source: Source) -> Source:
    """The source itself: the sample store writes it as a stream."""
    return source


def count(samples: Samples) -> dict[str, int]:
    """How many rows were read, taken and left out, and how many carry a label."""
    index = samples.index
    return {
        **{name: samples.manifest[name] for name in ("read", "accepted", "rejected")},
        "labelled": int(index["label"].notna().sum()),
        **{str(split): int(rows) for split, rows in index["split"].value_counts().items()},
    }
