"""The run in one sentence, and what belongs together."""

import re
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_results import NASTY, made, on_latents, text_of

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.skipped import Skipped
from ae_pipelines.models.contract import Elsewhere
from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page import page
from ae_pipelines.report.results import Results
from ae_pipelines.report.sections import numbers, verdict

CLASSIFIED = {
    "accuracy": 0.84, "accuracy_low": 0.81, "accuracy_high": 0.87, "pca_accuracy": 0.71, "majority": 0.3,
    "train_rows": 150.0, "test_rows": 1204.0,
}  # fmt: skip


def other_model(latents):
    return SimpleNamespace(encoded_by=SimpleNamespace(encoder="d" * 64))


def groups(latents, count=2):
    numbers = np.arange(len(latents)) % count
    return pd.DataFrame({"sample_id": latents.column("sample_id"), "cluster": numbers, "distance": 0.0})


def predicted(latents):
    return pd.DataFrame({"sample_id": latents.column("sample_id"), "predicted": "cat"})


def all_of_it(tmp_path, **more):
    sizes = pd.DataFrame({"cluster": [-1, 0, 1], "size": [3, 20, 20]})
    grouped = {"cluster_model": on_latents(), "clusters": groups, "cluster_sizes": sizes}
    classified = {"classifier": on_latents(), "predictions": predicted, "classify_metrics": CLASSIFIED}
    return made(tmp_path, **(grouped | classified | more))


def test_the_sentence_has_each_result_with_its_interval_and_its_control(tmp_path):
    assert verdict.sentence(all_of_it(tmp_path)) == (
        "2 groups; a classifier from 150 labels is right for 84 % (81 to 87) of 1,204 held-out samples, on PCA for "
        "71 %; always the commonest class: 30 %."
    )


def compared(encoder="e"):
    measured = {
        **{"train_rows": 150.0, "test_rows": 1204.0, "accuracy": 0.84, "error_with_100_labels": 21.0},
        **{"pca_accuracy": 0.71, "pca_error_with_100_labels": 40.0},
        **{"raw_values_accuracy": 0.8, "raw_values_error_with_100_labels": 30.0},
        **{"patches_accuracy": 0.79, "patches_error_with_100_labels": 19.0},
    }
    return {"encoder": encoder * 64, "left_out": [], "metrics": measured}


def test_the_best_control_is_named_where_all_were_compared(tmp_path):
    assert verdict.sentence(all_of_it(tmp_path, controls=compared())) == (
        "2 groups; a classifier from 150 labels is right for 84 % (81 to 87) of 1,204 held-out samples; by a linear "
        "classifier latents are right for 84 % from 150 labels (the best control, raw values: 80 %) and 79 % from 100 "
        "labels (the best control, patches: 81 %); always the commonest class: 30 %."
    )


@pytest.mark.parametrize("controls", [compared("f"), compared() | {"metrics": {}}], ids=["others", "off"])
def test_without_a_comparison_of_these_latents_pca_is_the_control(tmp_path, controls):
    assert "on PCA for 71 %" in verdict.sentence(all_of_it(tmp_path, controls=controls))


def test_without_groups_and_classes_it_tells_of_reconstructions_and_without_these_of_samples(tmp_path):
    errors = {"reconstruction_error": 0.25, "pca_reconstruction_error": 0.5}
    assert (
        verdict.sentence(made(tmp_path, embed_metrics=errors)) == "Mean squared reconstruction error 0.25, PCA's 0.5."
    )
    assert verdict.sentence(made(tmp_path / "nothing")) == "40 samples became latents."


def test_it_tells_from_what_when_by_which_run_and_what_was_warned_about_and_escapes_it(tmp_path):
    run = SimpleNamespace(id="run", started=time.time() - 200, address="http://127.0.0.1:5000/#/runs/run")
    warned = {"cluster": {"cluster.fit": [NASTY, NASTY]}, "detect": {"detect.fit": []}}
    section = verdict.section(made(tmp_path, run=run, warnings=warned, training_history=[{}] * 7))
    said = text_of(section.html)
    assert "40 samples of " in said
    assert "recipe by_hand, 2 latents, trained for 7 epochs" in said
    assert re.search(r"3 min 2\d s after the run began", said)
    assert 'href="http://127.0.0.1:5000/#/runs/run"' in section.html
    assert "1 warning cluster" in said
    assert NASTY not in section.html
    assert NASTY in said


def test_it_says_where_an_encoder_was_trained_if_not_here(tmp_path):
    results = made(tmp_path)
    assert "trained elsewhere" not in text_of(verdict.section(results).html)
    results.autoencoder.contract.elsewhere = Elsewhere(source=NASTY, sha256="a" * 64, taught_by="photos")
    section = verdict.section(results)
    assert f"The encoder was trained elsewhere with labels (photos): weights of {NASTY}." in text_of(section.html)
    assert NASTY not in section.html
    made_by = numbers._made_by(results)
    assert made_by["weights that it started from (sha256)"] == "a" * 64


def test_a_report_of_its_own_names_the_run_that_trained(tmp_path):
    run = SimpleNamespace(id="another", started=time.time(), address="http://127.0.0.1:5000/#/runs/another")
    said = text_of(verdict.section(made(tmp_path, run=run)).html)
    assert "MLflow run run ." in said
    assert "another" not in said
    assert "after the run began" not in said


def test_what_was_left_out_or_belongs_to_other_latents_is_not_shown_and_said(tmp_path):
    why = "there are 3 labels"
    skipped = {name: Skipped(why, "e" * 64) for name in ("classifier", "predictions", "classify_metrics")}
    results = all_of_it(tmp_path, cluster_model=other_model, **skipped)
    assert results.clusters is results.cluster_model is results.predictions is results.classify_metrics is None
    assert results.left_out == [why, "what cluster made is of other latents: run cluster and report again"]
    assert "Not shown: there are 3 labels." in text_of(verdict.section(results).html)


@pytest.mark.parametrize("parts", [{"clusters": groups}, {"cluster_model": on_latents()}], ids=["no model", "no table"])
def test_what_is_half_made_is_not_shown(tmp_path, parts):
    results = made(tmp_path, **parts)
    assert results.clusters is results.cluster_model is None
    assert len(results.left_out) == 1


def test_groups_of_other_samples_are_not_shown_though_the_encoder_is_the_same(tmp_path):
    def of_others(latents):
        table = groups(latents)
        return table.assign(sample_id=[*table["sample_id"][1:], "a new one"])

    results = all_of_it(tmp_path, clusters=of_others)
    assert results.clusters is None
    assert results.predictions is not None


def test_a_map_of_other_samples_is_refused(tmp_path):
    results = made(tmp_path)
    others = results.map.assign(sample_id=[*results.map["sample_id"][1:], "a new one"])
    with pytest.raises(InputError, match="run report again"):
        Results(results.samples, results.latents, others, results.autoencoder)


@pytest.mark.parametrize(("control", "sentences"), [(on_latents(), 0), (other_model, 1)], ids=["of these", "of others"])
def test_a_control_of_other_pca_latents_is_not_shown_and_said(tmp_path, control, sentences):
    results = made(tmp_path, pca_latents=lambda latents: latents, pca_classifier=control)
    assert len(results.left_out) == sentences
    assert (results.pca_classifier is None) == bool(sentences)


def test_latents_of_other_samples_or_of_another_encoder_are_refused(tmp_path):
    results = made(tmp_path)
    parts = [results.samples, results.latents, results.map, results.autoencoder]
    Results(*parts)
    for name in ("samples_id", "encoder_sha256"):
        before = results.latents.metadata
        results.latents.metadata = before | {name: "other"}
        with pytest.raises(InputError, match="run embed|ingest and embed"):
            Results(*parts)
        results.latents.metadata = before


def test_what_utf8_cannot_hold_ends_no_page(tmp_path):
    text = page(made(tmp_path, warnings={"fit": {"train": ["no picture: a\udcff.png"]}}), ReportOptions())
    assert "no picture: a?.png" in text
    text.encode()
