import numpy as np
import pandas as pd
from making import EncodedPixels, pixels
from small_results import NASTY, labels_of, made, text_of

from ae_pipelines.report.sections import ingest


def test_counts_and_classes_are_told(tmp_path):
    said = text_of(ingest.section(made(tmp_path, labels=[*labels_of((NASTY, "dog"), 20), *[None] * 20])).html)
    assert "40 read: 40 accepted and 0 left out." in said
    assert "Each sample is 1 × 6 × 5 numbers (uint8). Splits: 30 train and 10 test." in said
    assert "20 samples (50 %) have a label, of 2 classes." in said
    assert f"{NASTY} 5 5 50 %" in said


def test_rejects_stand_by_reason_with_examples(tmp_path):
    contents = pixels(30) | {"broken.png": b"cut short", "x/<b>.png": b"cut short", "99999": pixels(1)["00000"]}
    results = made(tmp_path, source=EncodedPixels(contents))
    results.rejects = results.samples.rejects
    said = text_of(ingest.section(results).html)
    assert "33 read: 30 accepted and 3 left out, of which 1 have the same content as another" in said
    assert "cut short 2 broken.png" in said


def test_unlabelled_data_are_told_and_nothing_is_empty(tmp_path):
    html = ingest.section(made(tmp_path)).html
    assert "No sample has a label." in text_of(html)
    assert "<table" not in html


def test_contradictions_and_columns_are_listed_as_text(tmp_path):
    conflicts = pd.DataFrame({"sample_id": ["a", NASTY], "sha256": ["0", "0"], "label": ["cat", "dog"]})
    columns = pd.DataFrame(
        [(NASTY, "number", "standardised", 0.25, 1), ("empty", "", "left out: nothing in it", np.nan, 0)],
        columns=["column", "type", "treatment", "missing", "features"],
    )
    html = ingest.section(made(tmp_path, conflicts=conflicts, columns=columns)).html
    said = text_of(html)
    assert "1 contents have more than one label: a is cat" in said
    assert f"{NASTY} is dog" in said
    assert f"{NASTY} number 25 % 1 standardised" in said
    assert "<script" not in html


def test_a_list_of_rejects_that_is_gone_is_told(tmp_path):
    results = made(tmp_path, source=EncodedPixels(pixels(30) | {"x": b"no"}))
    assert "The list of what was left out is not there" in text_of(ingest.section(results).html)
