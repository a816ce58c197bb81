"""How a report looks: on small and large screens, in the dark, on paper, and to those who do not see it."""

import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from made_report import MadeReport
from playwright.sync_api import Page, expect
from report_page import ReportPage, colour_of, contrast, shown

pytestmark = pytest.mark.browser

WITHOUT_WEBGL = """
const getContext = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
    return kind.startsWith("webgl") ? null : getContext.call(this, kind, ...more);
};
"""
LIGHT, DARK = "light", "dark"


def test_nothing_keeps_people_out(report: ReportPage):
    report.find("digits/0042")
    open_all(report.page)
    report.page.locator("#panel .tile [data-drawn]").first.wait_for()
    assert violations(report.page) == []
    report.page.emulate_media(color_scheme=DARK)
    assert violations(report.page, runOnly=["color-contrast"]) == []


def violations(page: Page, **options: object) -> list[tuple[str, str]]:
    """What axe-core finds, with the first element of each kind."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in found]


def open_all(page: Page) -> None:
    page.locator("details").evaluate_all("all => all.forEach(details => { details.open = true; })")


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_colours_stand_out_from_the_ground(report: ReportPage, scheme):
    report.page.emulate_media(color_scheme=scheme)
    ground = background(report.page, "#plot")
    assert (sum(ground) < 200) == (scheme == DARK)
    assert (sum(background(report.page, "body")) < 200) == (scheme == DARK)
    swatches = report.page.locator("#legend .category").evaluate_all(SWATCHES)
    colours = {name: colour_of(colour) for name, colour in swatches}
    assert len(colours) == 11
    unknown = colours.pop("no label")
    assert min(contrast(colour, ground) for colour in colours.values()) >= 3  # WCAG 2.2, 1.4.11
    assert contrast(unknown, ground) < min(contrast(colour, ground) for colour in colours.values())


SWATCHES = """toggles => toggles.map(toggle => [toggle.querySelector('.name').textContent,
    getComputedStyle(toggle.querySelector('.swatch')).backgroundColor])"""


def background(page: Page, selector: str) -> tuple[int, ...]:
    return colour_of(page.locator(selector).evaluate("element => getComputedStyle(element).backgroundColor"))


def test_the_theme_is_switched_by_a_button(report: ReportPage):
    report.page.locator("#theme").click()
    report.rest()
    assert sum(background(report.page, "#plot")) < 200
    report.page.locator("#theme").click()
    assert sum(background(report.page, "#plot")) > 600


def test_a_narrow_screen_needs_no_scrolling_to_the_side(open_page, digits_report: MadeReport):
    viewport = {"width": 360, "height": 740}
    report = ReportPage(open_page(digits_report.path, viewport=viewport, has_touch=True, is_mobile=True))
    open_all(report.page)
    x, y = report.places([report.lonely(digits_report.rows, 1)[0]])[0]
    report.page.touchscreen.tap(x, y)
    assert len(report.selected) == 1
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 360
    assert report.page.evaluate(BEYOND, 360) == []


BEYOND = """width => [...document.querySelectorAll('body *')].filter(element => {
    const { left, right, width: own } = element.getBoundingClientRect();
    const scrolls = element.closest('.scrolls, nav, .visually-hidden, .skip, [hidden]');
    return own && !scrolls && (right > width + 1 || left < -1);
}).map(element => `${element.tagName} ${element.id} ${element.className} ${element.textContent.slice(0, 40)}`)"""
"""Elements that reach beyond the window, but for those in a box that scrolls by itself."""


def test_a_large_screen_is_used(report: ReportPage):
    report.page.set_viewport_size({"width": 3840, "height": 2160})
    report.drawn()
    left, top, right, bottom = report.map_box()
    assert right - left > 0.6 * 3840
    assert bottom - top > 0.6 * 2160
    assert report.page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") > 18
    x, y = np.rint(report.places(range(200))).astype(int).T
    ground = background(report.page, "#plot")
    is_drawn = np.abs(report.picture()[y, x].astype(int) - ground).max(axis=1) > 20
    assert is_drawn.mean() > 0.95


def test_paper_shows_the_map_in_light_colours(report: ReportPage):
    light = [colour_of(colour) for _, colour in report.page.locator("#legend .category").evaluate_all(SWATCHES)]
    report.page.emulate_media(color_scheme=DARK, media="print")
    maps = [picture for picture in pictures_in(report.page.pdf()) if min(picture.shape[:2]) > 200]
    printed = max(maps, key=lambda picture: np.ptp(picture, axis=2).sum())  # another one has what lies over it
    for colour in light:
        assert (np.abs(printed.astype(int) - colour).max(axis=2) < 6).sum() > 200
    assert report.page.locator(".toolbar").is_hidden()
    assert report.page.locator("nav").is_hidden()


def pictures_in(pdf: bytes) -> list[np.ndarray]:
    """The coloured images in a PDF of Chromium, (height, width, 3)."""
    found = []
    for match in re.finditer(rb"<<(?:(?!>>).)*?/Subtype /Image(?:(?!>>).)*>>\s*stream\r?\n", pdf, re.S):
        height, width = (int(re.search(rb"/%s (\d+)" % name, match[0])[1]) for name in (b"Height", b"Width"))
        if b"/ICCBased" in match[0] and b"/FlateDecode" in match[0]:
            values = np.frombuffer(zlib.decompressobj().decompress(pdf[match.end() :]), np.uint8)
            found.append(values.reshape(height, width, 3))
    return found


def test_points_do_not_travel_where_motion_is_unwanted(open_page, digits_report: MadeReport):
    """The clock stands still, so what travels would be on its way."""
    report = ReportPage(open_page(digits_report.path, viewport={"width": 700, "height": 700}))
    report.page.clock.install()
    report.page.clock.pause_at(10**10)
    assert not moves_at_once(report, "pca")
    report.page.emulate_media(reduced_motion="reduce")
    assert moves_at_once(report, "umap")


def moves_at_once(report: ReportPage, layout: str) -> bool:
    report.page.locator("#layout").select_option(layout)
    report.page.clock.run_for(100)
    soon = shown(report.page.locator("#plot"))
    report.page.clock.run_for(1000)
    return bool((soon == shown(report.page.locator("#plot"))).all())


def test_without_webgl_the_page_says_so_and_works_below(open_page, browser, digits_report: MadeReport, watched):
    report = ReportPage(open_page(digits_report.path, script=WITHOUT_WEBGL))
    expect(report.page.locator("#plot")).to_contain_text("no WebGL2")
    report.find("digits/0007")
    assert report.selected == [7]
    assert len(report.page.locator("#panel [data-row]").all()) == 12
    report.page.locator("main .gallery [data-row] [data-drawn]").first.wait_for()


def test_the_page_is_one_file_of_its_own(digits_report: MadeReport):
    text = Path(digits_report.path).read_text()
    assert not re.findall(r"""(?:src|href)=["']?(?!#|data:)[^"'\s>]+""", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert "default-src 'none'" in policy.replace("&#39;", "'")
    assert "unsafe" not in policy
