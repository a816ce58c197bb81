"""Two runs become one page that shows how they differ."""

from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.two_runs.options import CompareOptions
from ae_pipelines.report.two_runs.recorded import Records
from ae_pipelines.report.two_runs.side import Found


def write(
    found_here: Found, found_there: Found, recorded_runs: Records, compare: CompareOptions, report: ReportOptions
) -> str:
    """The page."""
    from ae_pipelines.report.two_runs import page, sides

    return page.page(*sides.both(found_here, found_there, recorded_runs, compare, report), report)
