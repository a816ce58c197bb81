"""Names from data are text: whatever is in them, they do nothing on the page and are shown as they are."""

from collections import Counter

import hostile
import pytest
from made_report import MadeReport
from playwright.sync_api import expect
from report_page import ReportPage
from watched import wait_until

pytestmark = pytest.mark.browser


@pytest.fixture
def report(with_hostile_names: ReportPage) -> ReportPage:
    return with_hostile_names


SHOWN_OF_EACH = """async rows => {
    const shown = [];
    for (const row of rows) {
        report.map.select([row]);
        document.querySelector('#panel [data-row]').click();
        const id = document.querySelector('#panel .id').textContent;
        const facts = [...document.querySelectorAll('#panel .sample dt')].map(dt =>
            [dt.textContent, dt.nextElementSibling.textContent]);
        const tiles = document.querySelectorAll('#panel .tile');
        if (shown.length % 10 === 0) tiles[0].dispatchEvent(new PointerEvent('pointerenter', { pointerType: 'mouse' }));
        shown.push({ id, facts: Object.fromEntries(facts), near: tiles.length });
    }
    return shown;
}"""
INERT = """() => {
    const every = [...document.querySelectorAll('*')];
    const others = 'iframe, object, embed, base, link, form:not(#find), img:not([src^="data:"])';
    const addresses = ['href', 'src', 'action'].flatMap(name => every.map(one => one.getAttribute(name)));
    return {
        hacked: typeof hacked,
        handlers: every.flatMap(one => one.getAttributeNames()).filter(name => name.startsWith('on')),
        others: document.querySelectorAll(others).length,
        addresses: addresses.filter(address => address && !/^(#|data:)/.test(address)),
        styles: document.querySelectorAll('style').length,
        policies: document.querySelectorAll('meta[http-equiv]').length,
        title: document.title,
    };
}"""


def test_hostile_names_do_nothing_and_are_shown_as_they_are(report: ReportPage, hostile_report: MadeReport):
    page, texts = report.page, hostile.names()
    assert len(texts) == len(set(texts)) == hostile.COUNT
    labelled, ids, labels = hostile_report.rows[::4], hostile_report.ids, hostile_report.labels
    shown = page.evaluate(SHOWN_OF_EACH, labelled.tolist())
    assert [one["id"] for one in shown] == [ids[row] for row in labelled] == texts
    assert [one["facts"]["Label"] for one in shown] == [labels[row] for row in labelled]
    assert {one["near"] for one in shown} == {12}
    inert = page.evaluate(INERT)
    assert inert["hacked"] == "undefined"
    assert inert["handlers"] == []
    assert inert["others"] == 0
    assert inert["addresses"] == []
    assert (inert["styles"], inert["policies"]) == (1, 1)
    assert hostile.Hostile.name in inert["title"]


def test_hostile_labels_are_counted_and_filtered(report: ReportPage, hostile_report: MadeReport):
    page, counts = report.page, Counter(hostile_report.labels)
    for text in hostile.names()[:100:7]:
        label = text.strip()
        page.locator("#legend .narrow").fill(label[:60])
        listed = dict(page.locator("#legend .category").evaluate_all(NAMES_AND_SIZES))
        assert listed[label] == str(counts[label])


NAMES_AND_SIZES = """toggles => toggles.map(toggle => [toggle.querySelector('.name').textContent,
    toggle.querySelector('.size').textContent])"""


def test_hostile_ids_are_found_and_linked_to(report: ReportPage, hostile_report: MadeReport):
    for row in range(0, len(hostile_report.ids), 97):
        id = hostile_report.ids[row]
        if id == id.strip() and "\n" not in id and "\r" not in id:  # a field of one line takes no others
            report.find(id)
            assert report.selected == [row], id
        report.page.evaluate("report.map.select([])")
        report.page.evaluate("id => { location.hash = `id=${encodeURIComponent(id)}`; }", id)
        wait_until(report.page, lambda row=row: report.selected == [row], seconds=20)
        assert report.selected == [row], id


def test_hostile_names_are_cut_on_the_page_not_beyond_it(report: ReportPage):
    report.page.set_viewport_size({"width": 360, "height": 740})
    report.find("a" * 3_000)
    expect(report.page.locator("#panel .id")).to_contain_text("a" * 3_000)
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 360


def test_names_from_right_to_left_do_not_turn_what_is_around_them(report: ReportPage):
    found = report.page.evaluate(TURNED, [[".about", "recipe"], ["h1", "small"], ["#groups p", "with a label"]])
    assert found == {".about": [False], "h1": [False], "#groups p": [False] * 10}


TURNED = """wanted => {
    const range = document.createRange();
    const left = (node, place) => {
        range.setStart(node, place);
        range.setEnd(node, place + 1);
        return range.getBoundingClientRect().left;
    };
    const isTurned = (node, words) => {
        const start = node.data.indexOf(words), last = start + words.split(' ')[0].length - 1;
        return left(node, start) > left(node, last);
    };
    return Object.fromEntries(wanted.map(([selector, words]) => [selector,
        [...document.querySelectorAll(selector)].map(one => one.firstChild)
            .filter(node => node?.data?.includes(words)).map(node => isTurned(node, words))]));
}"""
"""Of each text with these words whether the first of them runs from right to left."""
