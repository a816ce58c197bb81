"""What lies below the map of a report, and leads back to it."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from hostile import Hostile
from made_report import MadeReport, PartlyLabelledDigits
from playwright.sync_api import expect
from report_page import ReportPage, pixels

from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.source import Source

pytestmark = pytest.mark.browser

SECTIONS = ["verdict", "map", "groups", "reconstructions", "classifier", "odd", "ingest", "numbers"]
EMPTY = ".slot, .tile canvas:not([data-drawn])"
GALLERIES = """all => all.map(gallery => [JSON.parse(gallery.dataset.samples),
    [...gallery.querySelectorAll('[data-row]')].map(tile => Number(tile.dataset.row))])"""


def test_the_sections_come_in_order_and_are_linked(report: ReportPage):
    assert report.page.locator("main > section").evaluate_all("all => all.map(section => section.id)") == SECTIONS
    links = report.page.locator("nav a").evaluate_all("all => all.map(link => link.getAttribute('href'))")
    assert set(links) <= {f"#{name}" for name in SECTIONS}
    assert len(links) >= len(SECTIONS) - 1
    headings = report.page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => Number(one.tagName[1]))")
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert (np.diff(headings) <= 1).all()  # none is left out on the way down


def test_galleries_show_their_samples(report: ReportPage, digits_report: MadeReport):
    expect(report.page.locator(EMPTY)).to_have_count(0)
    galleries = report.page.locator("[data-samples]").evaluate_all(GALLERIES)
    assert len(galleries) > 10
    for wanted, there in galleries:
        assert there == wanted
    tile = report.page.locator("#groups [data-row]").nth(3)
    row = int(tile.get_attribute("data-row") or -1)
    seen = pixels(tile.locator("canvas").screenshot())[..., 0].astype(float)
    middle = np.add.outer(np.arange(8) + 0.5, np.zeros(8)) * seen.shape[0] / 8
    seen = seen[middle.astype(int), middle.T.astype(int)]
    assert np.corrcoef(seen.ravel(), digits_report.samples.take(np.array([row])).ravel())[0, 1] > 0.95
    tile.click()
    assert report.selected == [row]
    expect(report.page.locator("#panel .id")).to_have_text(digits_report.ids[row])


def test_a_cell_of_the_confusion_matrix_opens_its_samples(report: ReportPage, digits_report: MadeReport):
    report.page.emulate_media(reduced_motion="reduce")  # scrolls to the map at once
    cells = report.page.locator("#classifier [data-where]")
    assert cells.count() > 10
    labels, predicted = digits_report.labels, digits_report.predicted
    is_test = digits_report.latents.in_split("test")
    counted = 0
    for cell in cells.all()[:5]:
        true, taken = re.search(
            r'"label": ?"(.)".*"predicted": ?"(.)"', cell.get_attribute("data-where") or ""
        ).groups()
        rows = np.flatnonzero(is_test & (labels == true) & (predicted == taken))
        cell.click()
        assert report.selected == rows.tolist()
        assert re.sub(r"\D", "", cell.inner_text()) == str(len(rows))
        title = cell.get_attribute("data-title") or ""
        expect(report.page.locator("#panel h3")).to_contain_text(title)
        counted += len(rows)
    assert counted > 20


@pytest.mark.parametrize("kind", ["digits", "hostile"])
def test_typed_labels_become_a_file_that_ingest_reads(
    open_page, kind, digits_report: MadeReport, hostile_report: MadeReport, tmp_path: Path
):
    made: MadeReport = {"digits": digits_report, "hostile": hostile_report}[kind]
    source: Source = {"digits": PartlyLabelledDigits(), "hostile": Hostile()}[kind]
    report = ReportPage(open_page(made.path))
    fields = report.page.locator(".labelling input")
    count = fields.count()
    assert count >= 30
    typed = [f'class "{place % 3}", <b>ü</b>' for place in range(count)]
    typed[1] = "  "  # blank: not labelled
    samples = fields.evaluate_all("inputs => inputs.map(input => JSON.parse(input.dataset.sample))")
    typed = ["" if "\0" in id else text for id, text in zip(samples, typed, strict=True)]  # no file is called so
    fields.evaluate_all(TYPE, typed)
    labelled = [text for text in typed if text.strip()]
    expect(report.page.locator(".labels-said")).to_have_text(f"{len(labelled)} of {count} labelled")
    with report.page.expect_download() as download:
        report.page.locator(".save-labels").click()
    assert download.value.suggested_filename == "labels.csv"
    file = tmp_path / "labels.csv"
    download.value.save_as(file)
    with file.open(newline="", encoding="utf-8") as lines:
        table = list(csv.DictReader(lines))
    assert [line["label"] for line in table] == labelled
    rows = [made.ids.index(line["path"]) for line in table]
    assert not made.latents.labelled[rows].any()
    options = IngestOptions(labels=[str(file)], max_rejected_share=1.0)
    read = write_store(tmp_path / "samples", source, options).index["label"].fillna("").to_numpy(object)
    assert read[rows].tolist() == labelled
    others = np.setdiff1d(made.rows, rows)
    assert read[others].tolist() == made.labels[others].tolist()


TYPE = """(inputs, texts) => inputs.forEach((input, place) => {
    input.value = texts[place];
    input.dispatchEvent(new Event('input', { bubbles: true }));
})"""


def test_typing_labels_goes_on_with_enter_and_is_shown(report: ReportPage):
    fields = report.page.locator(".labelling input")
    fields.first.fill("7")
    fields.first.press("Enter")
    expect(fields.nth(1)).to_be_focused()
    report.page.keyboard.type("8")
    text = report.page.locator("#labels-text").input_value()
    assert [line.split(",")[1] for line in text.split()] == ["label", "7", "8"]
