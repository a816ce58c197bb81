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


@pytest.fixture
def report(open_page: Callable[..., Page], digits_report: MadeReport) -> ReportPage:
    """That report, opened on a screen of usual size."""
    return ReportPage(open_page(digits_report.path, viewport={"width": 1400, "height": 900}))
