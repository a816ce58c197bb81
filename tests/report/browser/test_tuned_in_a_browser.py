"""The page of a study in a browser: trials that are marked everywhere, and a table that is sorted."""

import pytest
import tuned_by_hand as by_hand
from axe_playwright_python.sync_playwright import Axe

from ae_pipelines.report.tuned import importance
from ae_pipelines.report.tuned.page import page

pytestmark = pytest.mark.browser
STUDY = by_hand.study(14, objectives=("classifier", "seconds"))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tuned") / "tune.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importance, "TREES", 4)
        path.write_text(page(by_hand.found(STUDY)), encoding="utf-8")
    return path


def test_a_trial_is_marked_everywhere_the_table_is_sorted_and_the_page_is_accessible(open_page, path):
    tuned = open_page(path, viewport={"width": 1400, "height": 900})
    numbers = "[...document.querySelectorAll('#trials tbody tr')].map(row => row.dataset.trial)"

    dot = tuned.locator('#history svg .trial[data-trial="3"]').first
    dot.scroll_into_view_if_needed()
    dot.hover()
    assert tuned.locator(".tip .id").text_content() == "trial 3"
    assert tuned.locator('.pointed:not([data-trial="3"])').count() == 0
    assert tuned.locator("svg .pointed").count() > 5
    dot.click()
    tuned.mouse.move(2, 2)
    assert tuned.evaluate("report.chosen") == "3"
    assert tuned.locator(".pointed").count() == 0
    assert tuned.locator('tr.chosen[data-trial="3"] .keep[aria-pressed="true"]').count() == 1
    tuned.keyboard.press("Escape")
    assert tuned.evaluate("report.chosen") is None

    head = tuned.locator("#trials thead button", has_text="classifier")
    head.focus()
    tuned.keyboard.press("Enter")
    tuned.keyboard.press("Enter")
    assert tuned.locator("#trials [aria-sort]").get_attribute("aria-sort") == "descending"
    values = {one.number: one.measures.get("classifier", -1.0) for one in STUDY.outcomes}
    order = [int(number) for number in tuned.evaluate(numbers)]
    assert [values[number] for number in order] == sorted(values.values(), reverse=True)

    tuned.set_viewport_size({"width": 360, "height": 740})
    assert tuned.evaluate("document.documentElement.scrollWidth") <= 360

    tuned.evaluate(LESS)
    for scheme, rules in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        tuned.emulate_media(color_scheme=scheme)
        found = Axe().run(tuned, options={"resultTypes": ["violations"], **rules}).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


LESS = """for (const [all, kept] of [['#trials tbody tr', 9], ['.slices figure', 2]]) {
    for (const one of [...document.querySelectorAll(all)].slice(kept)) one.remove();
}"""
"""Leaves out what is like what comes before it, since to judge it all takes long."""
