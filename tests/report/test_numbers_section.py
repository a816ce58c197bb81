from pathlib import Path

import pytest
import yaml
from making import PROJECT
from small_results import NASTY, made, text_of

from ae_pipelines.report.sections import numbers
from ae_pipelines.report.shown import words


def rows_of_catalog():
    catalog = yaml.safe_load(Path(PROJECT / "conf/base/catalog.yml").read_text().replace("${", "$ {"))
    for entry, about in catalog.items():
        summary = ((about or {}).get("metadata") or {}).get("summary") if isinstance(about, dict) else None
        for name, row in ((summary or {}).get("rows") or {}).items():
            yield entry.removesuffix("_metrics"), name, row


def test_each_number_stands_with_its_interval_its_samples_and_its_control(tmp_path):
    metrics = {"same_class": 0.97, "same_class_low": 0.95, "same_class_high": 0.98, "test_rows": 385.0}
    said = text_of(numbers.section(made(tmp_path, search_metrics=metrics | {"pca_same_class": 0.92})).html)
    assert "neighbours of the same class (test split) 97.0 % 95.0 % to 98.0 % 385 92.0 % the model" in said
    assert "same class low" not in said


@pytest.mark.parametrize(("control", "better"), [(0.92, "the model"), (0.96, ""), (0.99, "PCA"), (None, "")])
def test_the_better_one_is_named_only_outside_of_the_interval(control, better):
    metrics = {"accuracy": 0.97, "accuracy_low": 0.95, "accuracy_high": 0.98}
    metrics |= {} if control is None else {"pca_accuracy": control}
    assert [row.better for row in numbers._numbers("classify", metrics)] == [better]


def test_lower_is_better_for_errors():
    (row,) = numbers._numbers("embed", {"reconstruction_error": 0.1, "pca_reconstruction_error": 0.2})
    assert row.better == "the model"


@pytest.mark.parametrize(("stage", "name", "row"), [*rows_of_catalog()])
def test_what_the_closing_table_shows_has_words_and_the_same_direction(stage, name, row):
    known = words.metric(stage, name)
    assert known != words.Metric(name.replace("_", " "))
    assert known.better == row[2]
    assert known.counted == (row[3] if len(row) > 3 else known.counted)


def test_settings_versions_and_hashes_are_told(tmp_path):
    given = {"ingest": {"source.size": "32", "data_dir": "here"}, "fit": {"source.size": "32", "recipe.name": NASTY}}
    html = numbers.section(made(tmp_path, given=given)).html
    said = text_of(html)
    assert "source.size 32 ingest, fit" in said
    assert f"recipe.name {NASTY} fit" in said
    assert NASTY not in html
    assert "data_dir" not in said
    assert "model.kind autoencoder" in said
    assert f"encoder (sha256) {'e' * 64}" in said
    assert "version of torch 2.13" in said
    assert "weights of the model 1,234" in said


def test_a_metric_without_words_keeps_its_name():
    assert words.metric("fit", "my_own/thing").words == "my own: thing"


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (1, "100 %"), (0.9999, "over 99.9 %"), (0.0001, "under 0.1 %"), (0.5, "50 %"), (0.971, "97.1 %")],
)
def test_only_all_or_nothing_is_written_as_such(share, said):
    assert words.percent(share).replace("\u00a0", " ") == said
