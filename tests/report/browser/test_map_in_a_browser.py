"""The map of a report, touched as people touch it."""

import numpy as np
import pytest
from made_report import MadeReport
from matplotlib.path import Path as Outline
from PIL import Image
from playwright.sync_api import expect
from report_page import APART, ReportPage, colour_of, pixels, shown
from watched import wait_until

from ae_pipelines.downstream import nearest

pytestmark = pytest.mark.browser

NEIGHBOURS = 12


def placed(made: MadeReport, layout: str) -> np.ndarray:
    """Places (n, 2) in a layout, of all rows."""
    return made.map[[f"{layout}_x", f"{layout}_y"]].to_numpy(float)


def on_screen(made: MadeReport, report: ReportPage, layout: str) -> np.ndarray:
    """Where all samples must be on the screen: from the layout's own numbers, and where the map puts some of them."""
    known, places = made.rows[::50], placed(made, layout)
    there = report.places(known)
    from_numbers = np.column_stack([places[known], np.ones(len(known))])
    mapping, *_ = np.linalg.lstsq(from_numbers, there, rcond=None)
    assert np.abs(from_numbers @ mapping - there).max() < 1  # pixels: the map only moves and stretches
    assert mapping[0, 0] == pytest.approx(-mapping[1, 1], rel=1e-3)  # both axes alike, and up is up
    assert mapping[0, 0] > 0
    assert np.abs(mapping[[0, 1], [1, 0]]).max() < 1e-2 * mapping[0, 0]
    return np.column_stack([places, np.ones(len(places))]) @ mapping


def test_pointing_at_a_sample_shows_its_picture_and_its_id(report: ReportPage, digits_report: MadeReport):
    for row in report.lonely(digits_report.rows, 3):
        report.page.mouse.move(*report.places([row])[0])
        tip = report.page.locator(".tip")
        expect(tip.locator(".id")).to_have_text(digits_report.ids[row])
        expect(tip).to_contain_text(digits_report.labels[row] or "no label")
        expect(tip.locator("[data-drawn]")).to_be_visible()
        seen = Image.fromarray(shown(tip.locator("canvas"))).convert("L").resize((8, 8), Image.Resampling.BOX)
        stored = digits_report.samples.take(digits_report.rows)[:, 0].astype(float)
        likeness = correlations(np.asarray(seen, float), stored)
        assert likeness.argmax() == row
        assert likeness[row] > 0.97
    report.rest()
    expect(report.page.locator(".tip")).to_be_hidden()


def correlations(picture: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of one picture (height, width) with many (n, height, width)."""

    def normal(values: np.ndarray) -> np.ndarray:
        centred = values - values.mean(axis=(-2, -1), keepdims=True)
        return centred / np.linalg.norm(centred, axis=(-2, -1), keepdims=True)

    return (normal(picture) * normal(others)).sum(axis=(-2, -1))


@pytest.mark.parametrize("layout", ["umap", "pca"])
def test_a_lasso_selects_what_lies_inside(report: ReportPage, digits_report: MadeReport, layout):
    report.select("layout", layout)
    left, top, right, bottom = report.map_box()
    shares = [(0.3, 0.25), (0.7, 0.2), (0.45, 0.5), (0.75, 0.8), (0.35, 0.7)]  # not convex
    outline = [(left + x * (right - left), top + y * (bottom - top)) for x, y in shares]
    report.page.locator("#mode-lasso").click()
    report.drag([*outline, outline[0]])
    must_be_selected(report, on_screen(digits_report, report, layout), outline)


def test_a_box_selects_what_lies_inside(report: ReportPage, digits_report: MadeReport):
    left, top, right, bottom = report.map_box()
    start, end = (left + 0.4 * (right - left), bottom - 60), (right - 80, top + 0.45 * (bottom - top))
    report.page.locator("#mode-box").click()
    report.drag([start, end])
    corners = [start, (end[0], start[1]), end, (start[0], end[1])]
    must_be_selected(report, on_screen(digits_report, report, "umap"), corners)


def must_be_selected(report: ReportPage, places: np.ndarray, outline: list[tuple[float, float]]) -> None:
    """Those inside, whatever of the outline is nearer than a pixel."""
    area = Outline(outline, closed=False)
    surely, perhaps = (set(np.flatnonzero(area.contains_points(places, radius=radius))) for radius in (-1.5, 1.5))
    surely, perhaps = sorted((surely, perhaps), key=len)
    selected = set(report.selected)
    assert 100 < len(selected) < len(places) - 100
    assert surely <= selected <= perhaps
    assert len(perhaps) - len(surely) < 0.05 * len(selected)


def test_a_selection_is_counted_shown_and_copied(report: ReportPage, digits_report: MadeReport):
    labels = digits_report.labels
    rows = np.flatnonzero(np.isin(labels, ["1", "7"]))[:70]
    report.page.evaluate("rows => report.map.select(rows)", rows.tolist())
    panel = report.page.locator("#panel")
    expect(panel.locator("h3")).to_contain_text("70 samples")
    counts = dict(panel.locator(".counts").first.locator("tr").evaluate_all(NAMES_AND_COUNTS))
    assert counts == {name: str((labels[rows] == name).sum()) for name in ("1", "7")}
    assert panel.locator(".gallery [data-row]").evaluate_all(DATA_ROWS) == rows[:48].tolist()
    with report.page.expect_download() as download:
        panel.get_by_role("button", name="Save ids").click()
    assert download.value.path().read_text().split() == ["sample_id", *(digits_report.ids[row] for row in rows)]
    report.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy ids").click()
    expect(panel.get_by_role("button", name="Copied")).to_be_visible()
    assert report.page.evaluate("navigator.clipboard.readText()").split()[1:] == [
        digits_report.ids[row] for row in rows
    ]


NAMES_AND_COUNTS = "rows => rows.map(row => [row.cells[0].textContent, row.cells[2].textContent])"
DATA_ROWS = "tiles => tiles.map(tile => Number(tile.dataset.row))"


def test_a_click_shows_the_nearest_in_latent_space(report: ReportPage, digits_report: MadeReport):
    rows = report.lonely(digits_report.rows, 20)
    distances, exact = nearest.nearest_others(digits_report.latents.vectors, NEIGHBOURS)
    found = {row: report.page.evaluate("row => report.neighbours(row)", row) for row in rows}
    same = [len({one["row"] for one in found[row]} & set(exact[row])) for row in rows]
    assert np.mean(same) / NEIGHBOURS >= 0.95
    ours = np.array([[one["distance"] for one in found[row]] for row in rows])
    assert ours == pytest.approx(distances[rows], rel=0.05)
    report.page.mouse.click(*report.places(rows[:1])[0])
    assert report.selected == rows[:1]
    tiles = report.page.locator("#panel [data-row]").evaluate_all(DATA_ROWS)
    assert tiles == [one["row"] for one in found[rows[0]]]


def test_points_have_the_colours_of_the_legend(report: ReportPage, digits_report: MadeReport):
    rows = report.lonely(digits_report.rows, 12)
    values = {
        "label": [digits_report.labels[row] or "no label" for row in rows],
        "group": [str(digits_report.clusters[row]) for row in rows],
    }
    drawn = {}
    for field, names in values.items():
        report.select("colour", field)
        report.rest()
        legend = dict(report.page.locator("#legend .category").evaluate_all(SWATCHES))
        drawn[field] = colours_at(report, rows)
        wanted = np.array([colour_of(legend[name]) for name in names])
        assert np.abs(drawn[field] - wanted).max() < 16
    assert np.abs(drawn["label"] - drawn["group"]).max(axis=1).mean() > 50  # not the same picture twice
    report.select("colour", "reconstruction_error")
    errors = digits_report.latents.column("reconstruction_error").to_numpy()[rows]
    shades = colours_at(report, rows).sum(axis=1)  # the ramp goes from light to dark
    assert np.corrcoef(errors.argsort().argsort(), (-shades).argsort().argsort())[0, 1] > 0.95


SWATCHES = """toggles => toggles.map(toggle => [toggle.querySelector('.name').textContent,
    getComputedStyle(toggle.querySelector('.swatch')).backgroundColor])"""


def colours_at(report: ReportPage, rows: list[int]) -> np.ndarray:
    """The pixels in the middle of points (n, 3)."""
    x, y = np.rint(report.places(rows)).astype(int).T
    return report.picture()[y, x].astype(int)


def test_the_legend_hides_what_is_not_wanted(report: ReportPage, digits_report: MadeReport):
    rows = report.lonely(digits_report.rows, 20)
    hidden = next(row for row in rows if digits_report.labels[row])
    label = digits_report.labels[hidden]
    report.page.locator("#legend .category", has=report.page.get_by_text(label, exact=True)).click()
    report.rest()
    ground = colour_of(report.page.locator("#plot").evaluate("plot => getComputedStyle(plot).backgroundColor"))
    is_empty = (np.abs(colours_at(report, rows) - ground) < 4).all(axis=1)
    assert is_empty.tolist() == [digits_report.labels[row] == label for row in rows]
    report.page.mouse.move(*report.places([hidden])[0])
    expect(report.page.locator(".tip")).to_be_hidden()
    shown_count = int((digits_report.labels != label).sum())
    expect(report.page.locator("#shown")).to_contain_text(f"{shown_count:,} of {len(digits_report.ids):,}")
    report.page.get_by_role("button", name="Show all", exact=True).click()
    report.page.mouse.move(*report.places([hidden])[0] + 1)
    expect(report.page.locator(".tip .id")).to_have_text(digits_report.ids[hidden])


def test_a_sample_is_found_by_its_id(report: ReportPage, digits_report: MadeReport):
    row = 321
    report.find(digits_report.ids[row])
    assert report.selected == [row]
    expect(report.page.locator("#panel .id")).to_have_text(digits_report.ids[row])
    assert report.page.url.endswith("#id=digits%2F0321")
    left, top, right, bottom = report.map_box()
    assert report.places([row])[0] == pytest.approx([(left + right) / 2, (top + bottom) / 2], abs=APART)
    report.find("no such id")
    expect(report.page.locator("#found")).to_contain_text("no such id")
    report.find("digits/00")
    assert report.selected == list(range(100))


def test_a_link_opens_the_page_at_a_sample(open_page, digits_report: MadeReport):
    report = ReportPage(open_page(digits_report.path, "#id=digits%2F0042"))
    assert report.selected == [42]
    expect(report.page.locator("#panel .id")).to_have_text("digits/0042")


def test_everything_works_by_keyboard(report: ReportPage, digits_report: MadeReport):
    keys, focused = report.page.keyboard, []
    report.page.locator(".skip").focus()  # the first thing on the page
    for _ in range(30):
        keys.press("Tab")
        focused.append(report.page.evaluate("document.activeElement.id || document.activeElement.className"))
        if focused[-1] == "points":
            break
    wanted = ["layout", "colour", "mode-pan", "search", "points"]
    assert [name for name in focused if name in wanted] == wanted
    keys.press("ArrowRight")
    (first,) = report.selected
    keys.press("ArrowRight")
    (second,) = report.selected
    assert report.places([second])[0, 0] > report.places([first])[0, 0]
    keys.press("ArrowUp")
    (third,) = report.selected
    assert report.places([third])[0, 1] < report.places([second])[0, 1]
    expect(report.page.locator("#panel .id")).to_have_text(digits_report.ids[third])
    before = apart(report, first, third)
    keys.press("+")
    assert apart(report, first, third) > 1.2 * before
    keys.press("-")
    assert apart(report, first, third) == pytest.approx(before, rel=1e-3)
    keys.press("Escape")
    assert report.selected == []
    keys.press("Tab")
    assert report.page.evaluate("document.activeElement.closest('#legend') !== null")  # the map holds nobody


def apart(report: ReportPage, first: int, second: int) -> float:
    return float(np.hypot(*np.diff(report.places([first, second]), axis=0)[0]))


def test_a_layout_moves_the_points(report: ReportPage, digits_report: MadeReport):
    before = pixels(report.page.locator("#plot").screenshot())
    report.select("layout", "pca")
    on_screen(digits_report, report, "pca")
    after = pixels(report.page.locator("#plot").screenshot())
    assert (np.abs(before.astype(int) - after).max(axis=2) > 30).mean() > 0.05


def test_the_wheel_comes_nearer_and_a_drag_moves(report: ReportPage):
    left, top, right, bottom = report.map_box()
    middle = np.array([(left + right) / 2, (top + bottom) / 2])
    some = np.arange(200)
    before = report.places(some)
    report.page.mouse.move(*middle)
    report.page.mouse.wheel(0, -200)
    wait_until(report.page, lambda: not np.array_equal(report.places(some), before), seconds=20)
    near = report.places(some)
    factor = np.linalg.norm(near - middle) / np.linalg.norm(before - middle)
    assert factor > 1.3
    assert near - middle == pytest.approx(factor * (before - middle), abs=2)  # what is under the pointer stays there
    report.drag([tuple(middle), tuple(middle + np.array([50, 30]))])
    assert report.places(some) - near == pytest.approx(np.tile([50, 30], (200, 1)), abs=6)
    assert report.selected == []
