"""Reports in a real browser: without a network, and watched.

A browser is started for each file, since Playwright's event loop is in the way of other tests of the process.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hostile import Hostile
from made_report import MadeReport, PartlyLabelledDigits, make
from playwright.sync_api import Browser, Page, sync_playwright
from report_page import ReportPage
from watched import Watched

from ae_pipelines.training.recipe import Recipe

ARGUMENTS = (
    "--enable-unsafe-swiftshader",  # WebGL2 without a GPU
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREEN = {"width": 1400, "height": 900}
KNOWN = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str:
    """The browser that `AE_BROWSER` names, which must be there; else one of those known, or the test is skipped."""
    named = os.environ.get("AE_BROWSER")
    if named and shutil.which(named) is None:
        pytest.fail(f"AE_BROWSER names {named}, which is not there: install it (Debian: apt-get install chromium)")
    found = named or next((name for name in KNOWN if shutil.which(name)), None)
    if found is None:
        pytest.skip("needs Chromium or Chrome: install it (Debian: apt-get install chromium), or name it in AE_BROWSER")
    return str(shutil.which(found))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = executable()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def watched() -> Iterator[Watched]:
    """What this test's pages did that no report may do; the test fails if there is anything at its end."""
    watched = Watched()
    yield watched
    assert watched.complaints == []


@pytest.fixture
def open_address(browser: Browser, watched: Watched) -> Iterator[Callable[..., Page]]:
    """Opens an address in a window of its own, which a script may prepare; settings are those of `new_context`."""
    contexts = []

    def open_address(address: str, script: str = "", **settings: object) -> Page:
        context = browser.new_context(**settings)
        contexts.append(context)
        watched.watch(context)
        context.add_init_script(script)
        page = context.new_page()
        page.goto(address)
        return page

    yield open_address
    for context in contexts:
        context.close()


@pytest.fixture
def open_page(open_address: Callable[..., Page]) -> Callable[..., Page]:
    """Opens a file, at one of its anchors; there is no network."""

    def open_page(path: Path, hash: str = "", **settings: object) -> Page:
        return open_address(path.as_uri() + hash, offline=True, **settings)

    return open_page


@pytest.fixture(scope="session")
def digits_report(made_once: Callable[[str, Callable[[Path], None]], Path], recipe: Recipe) -> MadeReport:
    """The report of a quick run on digits."""
    return MadeReport(made_once("digits_report", lambda folder: make(folder, PartlyLabelledDigits(), recipe)))


@pytest.fixture(scope="session")
def hostile_report(made_once: Callable[[str, Callable[[Path], None]], Path], recipe: Recipe) -> MadeReport:
    """The report of a quick run on samples with names that no page should trust."""
    return MadeReport(made_once("hostile_report", lambda folder: make(folder, Hostile(), recipe)))


@pytest.fixture(scope="module")
def digits_page(browser: Browser, digits_report: MadeReport) -> Iterator[ReportPage]:
    yield from kept_open(browser, digits_report)


@pytest.fixture(scope="module")
def hostile_page(browser: Browser, hostile_report: MadeReport) -> Iterator[ReportPage]:
    yield from kept_open(browser, hostile_report)


def kept_open(browser: Browser, made: MadeReport) -> Iterator[ReportPage]:
    """A report that is opened once for all tests of a file: to open it takes longer than most of them do."""
    watched = Watched()
    context = browser.new_context(offline=True, viewport=SCREEN)
    watched.watch(context)
    page = context.new_page()
    page.goto(made.path.as_uri())
    yield ReportPage(page, watched)
    context.close()


@pytest.fixture
def report(digits_page: ReportPage) -> Iterator[ReportPage]:
    """The report on digits as it is when it is opened, on a screen of usual size."""
    yield from as_opened(digits_page)


@pytest.fixture
def with_hostile_names(hostile_page: ReportPage) -> Iterator[ReportPage]:
    """The report on samples with hostile names, likewise."""
    yield from as_opened(hostile_page)


def as_opened(report: ReportPage) -> Iterator[ReportPage]:
    report.page.set_viewport_size(SCREEN)
    report.page.emulate_media(media="null", color_scheme="null", reduced_motion="reduce")
    report.start_anew()
    yield report
    assert report.watched is not None
    complaints = report.watched.complaints.copy()
    report.watched.complaints.clear()
    assert complaints == []
