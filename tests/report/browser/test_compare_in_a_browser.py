"""The page of two runs in a browser: two maps that point at each other."""

import numpy as np
import pytest
import results_by_hand as by_hand
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.two_runs import page, sides
from ae_pipelines.report.two_runs.options import CompareOptions
from ae_pipelines.report.two_runs.recorded import NoRecords

pytestmark = pytest.mark.browser

MOVED = [3, 4]
GROUPS = np.repeat([0, 1], by_hand.ROWS // 2)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_runs")
    store = by_hand.samples(folder / "samples")
    groups = GROUPS.copy()
    groups[MOVED] = 1
    odd = np.arange(by_hand.ROWS) == 7
    here = by_hand.found(store, clusters=GROUPS, anomalies=odd)
    there = by_hand.found(store, "f" * 64, "conv", clusters=groups, anomalies=~odd & (np.arange(by_hand.ROWS) == 8))
    options = CompareOptions(**{"with": "there", "data_dir": "here"})
    both = sides.both(here, there, NoRecords(), options, ReportOptions())
    (folder / "compare.html").write_text(page.page(*both, ReportOptions()), encoding="utf-8")
    return folder / "compare.html"


@pytest.fixture
def open_compared(open_page, path):
    def open_compared(width=1400, height=900, **settings):
        opened = open_page(path, viewport={"width": width, "height": height}, **settings)
        opened.evaluate("report.ready")
        opened.evaluate("Promise.all(Object.values(report.maps).map(map => map.drawn())).then(() => null)")
        return opened

    return open_compared


def test_both_maps_are_printed_in_light_colours_and_the_page_is_as_before_afterwards(open_compared):
    compared = open_compared(color_scheme="dark")
    theme = "document.documentElement.dataset.theme ?? ''"
    assert compared.evaluate(theme) == ""
    compared.evaluate("dispatchEvent(new Event('beforeprint'))")  # an error in it fails the watched page
    assert compared.evaluate(theme) == "light"
    compared.evaluate("dispatchEvent(new Event('afterprint'))")
    assert compared.evaluate(theme) == ""


@pytest.mark.parametrize(("side", "other"), [("here", "there"), ("there", "here")])
def test_what_is_pointed_at_on_one_map_is_ringed_on_the_other(open_compared, side, other):
    compared = open_compared()
    for row in (0, 11, 30):
        x, y = compared.evaluate(f"report.maps.{side}.screen({row})")
        compared.mouse.move(x, y)
        pointed_at = compared.evaluate(f"report.maps.{side}.ringed")
        assert pointed_at is not None
        assert compared.evaluate(f"report.maps.{other}.ringed") == pointed_at
        expect(compared.locator(".tip .id")).to_have_text(f"array/{pointed_at}")
        assert not compared.evaluate(COVERED, [other, pointed_at])
    compared.mouse.move(2, 2)
    assert compared.evaluate(f"report.maps.{other}.ringed") is None


COVERED = """([side, row]) => {
    const [x, y] = report.maps[side].screen(row), tip = document.querySelector('.tip').getBoundingClientRect();
    return x > tip.left && x < tip.right && y > tip.top && y < tip.bottom;
}"""
"""Whether the tip hides what it tells of on the other map."""


def test_a_button_opens_the_samples_that_changed_on_both_maps(open_compared):
    compared = open_compared()
    compared.locator("#groups").get_by_role("button", name="on the maps: group 1 → 0").click()
    assert sorted(compared.evaluate("report.selected")) == MOVED
    expect(compared.locator("#panel h3")).to_have_text("group 1 → 0: 2 samples")
    compared.locator("#panel .tile").first.click()
    assert compared.evaluate("report.selected") == [MOVED[0]]
    compared.keyboard.press("Escape")
    assert compared.evaluate("report.selected") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_the_comparison(open_compared, scheme):
    compared = open_compared(color_scheme=scheme)
    found = Axe().run(compared, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in found] == []


def test_two_maps_need_no_scrolling_to_the_side_on_a_narrow_screen(open_compared):
    compared = open_compared(360, 740)
    assert compared.evaluate("document.documentElement.scrollWidth") <= 360
    places = [compared.locator(f"#plot-{side}").bounding_box() for side in ("here", "there")]
    assert places[0]["y"] + places[0]["height"] <= places[1]["y"]
