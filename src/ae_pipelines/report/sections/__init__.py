"""What the page says, a module a section: `section(results)` gives it, or None where there is nothing to say."""

from collections.abc import Iterator
from types import ModuleType

from ae_pipelines.report.results import Results
from ae_pipelines.report.section import Section
from ae_pipelines.report.sections import classifier, groups, ingest, numbers, odd, reconstructions, verdict

BELOW_THE_MAP: tuple[ModuleType, ...] = (groups, reconstructions, classifier, odd, ingest, numbers)
"""In this order."""


def head(results: Results) -> Section:
    """What stands above the map."""
    return verdict.section(results)


def below_the_map(results: Results) -> Iterator[Section]:
    """All sections that have something to say."""
    for module in BELOW_THE_MAP:
        if (section := module.section(results)) is not None:
            yield section
