"""What is told of a run in MLflow."""

import re

import pandas as pd
import pytest

from ae_pipelines.project.note import GAP, MOST_LETTERS, MOST_WARNINGS, Told, note, plain
from ae_pipelines.project.run_name import pipeline_of, worked_on
from ae_pipelines.project.summary import Measure

ACCURACY = Measure("accuracy (test)", "0.919", "0.958", "higher", ["385 test rows: 0.888 to 0.943", "majority 0.1"])
ERROR = Measure("error", "0.076", "", "lower", [])


class Summed:
    """A summary of these measures."""

    def measures(self):
        return [ACCURACY, ERROR]

    def others(self):
        return ["", "3 images restored"]

    def sentences(self):
        return ["classify was left out: no labels"]


def test_a_note_begins_with_the_measure_of_which_most_is_known_and_where_the_report_is(digits):
    told = Told("train", {"recipe.name": "conv"}, report="#/report.html", samples=[digits], summary=Summed())
    first, data, given, *rest = note(told).split("\n\n")
    headline = "**accuracy (test) 0.919** (385 test rows: 0.888 to 0.943; majority 0.1; PCA 0.958)"
    assert first == f"{headline} · [**report**](#/report.html)"
    assert data.startswith(f"**Data**: {digits.manifest.source}, {len(digits):,} samples (1 × 8 × 8 uint8): ")
    assert data.endswith(f"Store {digits.id}.")
    assert given == "**train** with recipe.name = conv"
    assert rest[0].replace(GAP, "").endswith("| error | 0.076 |  | lower |  |")
    assert "3 images restored" in rest[1]
    assert rest[2] == "- classify was left out: no labels"


def test_without_measures_what_is_said_stands_first():
    summary = Summed()
    summary.measures = list
    assert note(Told("score", {}, summary=summary)).startswith("**classify was left out: no labels**\n\n**score** with")


def test_what_went_wrong_stands_first():
    assert note(Told("train", {}, "Failed: no memory")) == "**Failed: no memory**\n\n**train** with nothing given"


def test_warnings_are_listed_by_stage_once_and_the_many_are_counted():
    warned = {"fit": ["odd"] * 3, "detect": ["detect: few rows"], "embed": [f"w{i}" for i in range(MOST_WARNINGS)]}
    listed = note(Told("train", {}, warned=warned)).split("\n\n")[-1].splitlines()
    assert listed[:3] == ["- fit: odd", "- detect: few rows", "- embed: w0"]
    assert listed[-1] == "- 2 more"


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a|b", "**bold**", "[x](javascript:y)", "`code`", "# h"])
def test_text_from_data_means_nothing_in_a_note(text):
    shown = plain(text)
    assert shown.replace("\\", "") == text
    assert not re.search(r"(?<!\\)[<>|*\[\]`#]", shown)


def test_stages_are_named_as_they_follow_each_other():
    assert pipeline_of({"pipeline_names": ["search", "embed", "generate", "ingest"]}) == "ingest+embed+generate+search"
    assert pipeline_of({"pipeline_names": None}) == "__default__"


def test_what_was_loaded_tells_source_and_recipe(digits, trained):
    assert worked_on("samples", digits) == {"source": digits.manifest.source}
    assert worked_on("autoencoder", trained) == {"recipe": trained.contract.recipe}
    assert worked_on("clusters", pd.DataFrame()) == {}


def test_a_long_value_leaves_room_for_the_results():
    told = note(Told("train", {"source.columns": "x" * 6000, "recipe.name": "conv"}, summary=Summed()))
    assert "x" * MOST_LETTERS + " …, recipe.name = conv" in told
    assert len(told) < 1000
