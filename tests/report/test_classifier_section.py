import re

import numpy as np
import pandas as pd
import pytest
from small_results import NASTY, ROWS, TableSource, galleries, labels_of, made, on_latents, openers, text_of

from ae_pipelines.downstream import class_metrics
from ae_pipelines.report.sections import classifier
from ae_pipelines.report.shown import confusion, labelling

METRICS = {
    **{"accuracy": 0.9, "accuracy_low": 0.6, "accuracy_high": 0.98, "majority": 0.5, "pca_accuracy": 0.7},
    **{"train_rows": 30.0, "test_rows": 10.0},
}


def classified(folder, labels=None, predicted=None, **parts):
    labels = labels_of() if labels is None else labels
    predicted = predicted or [label or "cat" for label in labels]
    known = sorted({label for label in labels if label})
    table = pd.DataFrame({"predicted": predicted, "probability": np.linspace(0.5, 1, len(labels), dtype=np.float32)})
    return made(
        folder,
        labels=labels,
        classifier=on_latents(classes=np.array(known)),
        predictions=lambda latents: table.assign(sample_id=latents.column("sample_id")),
        **{
            "per_class": lambda latents: class_metrics.per_class_table(latents, table),
            "classify_metrics": METRICS,
            **parts,
        },
    )


def test_there_is_no_section_where_there_is_nothing_to_say(tmp_path):
    assert classifier.section(made(tmp_path)) is None


def test_cells_of_the_confusion_matrix_open_their_samples(tmp_path):
    predicted = labels_of()
    predicted[0] = "dog"  # row 0 is a cat of the test split
    found = openers(classifier.section(classified(tmp_path, predicted=predicted)).html)
    assert ({"label": "cat", "predicted": "dog", "split": "test"}, "1") in found
    assert ({"label": "cat", "predicted": "cat", "split": "test"}, "9") in found


def test_the_first_sentence_has_the_bounds_and_what_to_compare_with(tmp_path):
    said = text_of(classifier.section(classified(tmp_path)).html)
    assert "for 90 % (60 to 98) of 10 labelled test samples" in said
    assert "always naming the commonest class: 50 %; the same classifier on PCA: 70 %" in said
    assert "only 10 samples" in said


def test_latents_stand_beside_every_control_and_the_best_is_bold(tmp_path):
    metrics = {
        **{"train_rows": 30.0, "test_rows": 10.0, "accuracy": 0.9, "error_with_100_labels": 20.0},
        **{"pca_accuracy": 0.7, "pca_error_with_100_labels": 25.0},
        **{"patches_accuracy": 0.8, "patches_error_with_100_labels": 30.0},
    }
    controls = {"encoder": "e" * 64, "left_out": [f"raw values: {NASTY}"], "metrics": metrics}
    html = classifier.section(classified(tmp_path, controls=controls)).html
    assert "latents 90 % 80 % PCA 70 % 75 % patches 80 % 70 %" in " ".join(text_of(html).split())
    assert [text_of(bold).strip() for bold in re.findall("<b>.*?</b>", html)] == ["75 %", "80 %"], "row by row"
    assert f"Left out: raw values: {NASTY}." in text_of(html)
    assert NASTY not in html


def test_of_many_classes_the_commonest_mistakes_are_listed(tmp_path):
    names = [f"class {number:03d}" for number in range(120)]
    counts = pd.DataFrame(np.eye(120, dtype=int) * 5, index=names, columns=names)
    counts.loc["class 007", "class 100"] = 4
    counts.loc["class 008", "class 001"] = 2
    found = confusion.counted(counts)
    assert [(true, taken) for _, true, taken, _ in found.pairs] == [
        ("class 007", "class 100"),
        ("class 008", "class 001"),
    ]
    assert len(found.labels) == confusion.COMPACT
    assert {"class 007", "class 100"} <= set(found.labels)


def test_few_labels_are_drawn_beside_pca_and_the_commonest_class(tmp_path):
    points = [{"labels": 10, "error_mean": 40.0}, {"labels": 100, "error_mean": 10.0}]
    html = classifier.section(classified(tmp_path, few_labels={"latents": points, "pca": points})).html
    assert "40.0 % from 10, 10.0 % from 100" in html
    for name in ("PCA", "latents", "commonest"):
        assert f">{name}</text>" in html
    assert html.count('class="band') >= 2


def test_what_to_label_next_has_a_field_for_each_sample(tmp_path):
    labels = ["cat", "dog"] * 15 + [None] * 10
    wanted = lambda latents: pd.DataFrame(  # noqa: E731
        {"sample_id": ["array/33", "array/31"], "margin": [0.1, 0.2], "predicted": ["cat", NASTY], "group": [0, 1]}
    )
    section = classifier.section(classified(tmp_path, labels, to_label=wanted))
    assert galleries(section.html)[-2:] == [([33], ["cat?"]), ([31], [f"{NASTY}?"])]
    assert "data-sample='\"array/33\"'" in section.html
    assert '<option value="dog">' in section.html
    assert section.rows.tolist() == [31, 33]
    assert "<script" not in section.html


def test_a_row_of_a_table_is_labelled_by_its_columns(tmp_path):
    rows = np.random.default_rng(0).normal(size=(ROWS, 2)).astype(np.float32)
    rows[33] = [1.0, -2.5]
    wanted = pd.DataFrame({"sample_id": ["array/33"], "margin": [0.1], "predicted": ["cat"], "group": [0]})
    source = TableSource(rows, [*labels_of()[:30], *[None] * 10], ["test", "train", "train", "train"] * 10)
    html = classifier.section(classified(tmp_path, source=source, to_label=wanted)).html
    assert f"height 12 {NASTY} 5" in text_of(html.split("data-samples")[1])


def test_without_labels_typical_samples_of_both_splits_are_proposed(tmp_path):
    clusters = pd.DataFrame({"cluster": [row % 2 for row in range(ROWS)], "distance": np.arange(ROWS, dtype=float)})
    results = made(
        tmp_path,
        cluster_model=on_latents(kind="kmeans", tried=None),
        clusters=lambda latents: clusters.assign(sample_id=latents.column("sample_id")),
        cluster_sizes=pd.DataFrame(),
    )
    proposed = labelling.to_label(results)
    assert {one.row % 4 == 0 for one in proposed} == {True, False}
    assert {one.why for one in proposed} == {"group 0", "group 1"}
    section = classifier.section(results)
    assert section.title == "What to label first"
    assert "There is no classifier" in text_of(section.html)


@pytest.mark.parametrize("name", ["classify_metrics", "per_class", "few_labels", "to_label"])
def test_a_part_that_is_gone_leaves_the_rest(tmp_path, name):
    html = classifier.section(classified(tmp_path, **{name: None})).html
    assert "table" in html


def test_names_of_classes_are_text_and_nothing_else(tmp_path):
    html = classifier.section(classified(tmp_path, labels_of((NASTY, "dog\u202e")))).html
    assert "<script" not in html
    assert NASTY in [where["label"] for where, _ in openers(html)]
