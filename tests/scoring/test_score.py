"""New rows through registered models, by real runs."""

import json

import numpy as np
import pandas as pd
import pytest
from kedro.framework.project import settings
from kedro.io import DatasetError
from scoring.places import IMAGES, KEPT_BACK

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import intervals
from ae_pipelines.latents.file import read_latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.scores import Scores
from ae_pipelines.scoring.version import RegisteredModel

NEW = IMAGES[:KEPT_BACK]
FLAT = IMAGES.reshape(len(IMAGES), -1).astype(np.float32)


def report(place, name):
    return json.loads((place.data / "08_reporting" / f"{name}.json").read_text())


def test_scores_of_training_samples_are_what_the_training_said_of_them(images):
    images.run("score", source={"name": "array", "path": str(images.train_file), "layout": "NHW", "key": "values"})
    (batch,) = images.batches()
    output = images.data / "07_model_output"
    known = read_latents(output / "latents.parquet")
    scored = batch.table().set_index("sample_id").loc[known.column("sample_id")]
    vectors = np.stack(batch.read("latent").column(0).to_pylist())
    order = pd.Index(batch.table()["sample_id"]).get_indexer(known.column("sample_id"))
    np.testing.assert_allclose(vectors[order], known.vectors, atol=1e-5)
    np.testing.assert_allclose(scored["reconstruction_error"], known.column("reconstruction_error"), atol=1e-6)
    for name, columns in {
        "clusters": {"cluster": "cluster", "distance": "distance"},
        "predictions": {"predicted": "predicted", "probability": "probability"},
        "anomalies": {"score": "anomaly_score", "anomaly": "anomaly"},
    }.items():
        theirs = pd.read_parquet(output / f"{name}.parquet").set_index("sample_id").loc[scored.index]
        for column, ours in columns.items():
            if theirs[column].dtype.kind == "f":
                np.testing.assert_allclose(scored[ours], theirs[column], atol=1e-4)
            else:
                assert (scored[ours].to_numpy() == theirs[column].to_numpy()).all(), column


def test_rows_of_a_table_are_brought_to_the_scale_of_the_training(rows):
    rows.run("score", source={"name": "array", "path": str(rows.train_file), "layout": "NF", "key": "values"})
    (batch,) = rows.batches()
    known = read_latents(rows.data / "07_model_output" / "latents.parquet")
    vectors = np.stack(batch.read("latent").column(0).to_pylist())
    order = pd.Index(batch.table()["sample_id"]).get_indexer(known.column("sample_id"))
    np.testing.assert_allclose(vectors[order], known.vectors, atol=1e-4)


def test_a_few_rows_are_scaled_by_the_training_not_by_themselves(rows):
    rows.score(FLAT[:KEPT_BACK], "NF", name="all")
    rows.score(FLAT[:1], "NF", name="one")
    assert [len(batch.table()) for batch in rows.batches()] == [KEPT_BACK]
    assert report(rows, "collect_metrics")["new"] == 0


def test_a_file_of_scores_says_which_version_made_it_and_has_a_row_for_each_new_sample(images):
    images.score(NEW)
    (batch,) = images.batches()
    table = batch.table()
    assert set(table) == {
        *("sample_id", "sha256", "label", "cluster", "distance", "predicted", "probability"),
        *("reconstruction_error", "anomaly_score", "anomaly", "model_version"),
    }
    assert batch.path.parent.name.startswith("array-v1-")
    assert len(table) == len({*map(bytes, NEW)})
    assert (table["model_version"] == 1).all()
    assert report(images, "score_metrics")["rows"] == len(table)
    assert report(images, "drift")["verdict"] == "ok"


def test_only_what_this_version_has_not_scored_is_scored(images):
    images.score(NEW[:250])
    images.score(NEW[:250])
    assert report(images, "score_metrics")["rows"] == 0
    assert report(images, "drift")["verdict"] == "nothing new"
    images.score(NEW, name="grown")
    first, second = images.batches()
    contents = [sha for batch in (first, second) for sha in batch.table()["sha256"]]
    assert len(contents) == len(set(contents)) == len({*map(bytes, NEW)})


def test_the_same_content_twice_in_a_batch_is_scored_once(images):
    images.score(np.concatenate([NEW[:50], NEW[:50]]))
    (batch,) = images.batches()
    assert len(batch.table()) == 50


def test_another_version_scores_everything_again(images):
    images.score(NEW[:50])
    model = RegisteredModel(images.data / "06_models" / "registered_model")
    samples = Samples(images.data / "02_intermediate" / "new_samples")
    scores = Scores(images.data / "07_model_output" / "scores")
    other = type(model.version)(model.version.name, 2, "0" * 64)
    assert len(scores.unscored(samples, model.version)) == 0
    assert len(scores.unscored(samples, other)) == 50


def test_a_file_of_scores_that_was_removed_is_made_again_and_no_other_is_lost(images):
    images.score(NEW[:100], name="first")
    (first,) = images.batches()
    images.score(NEW[:200], name="grown")
    assert first.judged
    first.path.unlink()
    images.run(
        "collect", "apply", source={"name": "array", "path": str(images.file("grown", NEW[:200])), "layout": "NHW"}
    )
    assert not first.judged
    contents = [sha for batch in images.batches() for sha in batch.table()["sha256"]]
    assert len(contents) == len(set(contents)) == len({*map(bytes, NEW[:200])})


def test_rows_that_were_scored_by_a_run_that_ended_before_drift_are_judged_by_the_next(images):
    source = {"name": "array", "path": str(images.file("new", NEW)), "layout": "NHW"}
    images.run("collect", source=source)
    images.run("apply", source=source)
    images.run("score", source=source)
    scored = len(images.batches()[0].table())
    assert report(images, "drift")["rows"] == scored
    assert report(images, "collect_metrics")["new"] == scored
    assert report(images, "score_metrics")["rows"] == report(images, "score_metrics")["taken_up"] == scored
    images.run("score", source=source)
    assert report(images, "collect_metrics")["new"] == report(images, "score_metrics")["rows"] == 0
    assert report(images, "drift")["verdict"] == "nothing new"


def test_a_stage_that_is_tried_again_after_its_file_is_there_does_not_say_that_there_is_nothing_to_do(
    images, monkeypatch
):
    from ae_pipelines.project.tracked import TrackingHook

    monkeypatch.setenv("AE_RUN", "ae_score/tonight")
    source = {"name": "array", "path": str(images.file("new", NEW)), "layout": "NHW"}
    for stage in ("collect", "apply", "apply", "drift", "collect", "drift"):
        images.run(stage, source=source)
        assert [hook.nothing_to_do for hook in settings.HOOKS if isinstance(hook, TrackingHook)] == [None], stage
    assert report(images, "drift")["rows"] == len(images.batches()[0].table())


def test_new_images_on_another_scale_are_refused_though_known_ones_lie_beside_them(images):
    images.score(NEW[:100])
    with pytest.raises(InputError, match="scaled"):
        images.score(np.concatenate([NEW[:100], (NEW[100:200] > 127).astype(np.uint8)]), name="mixed")
    assert len(images.batches()) == 1


def test_a_single_row_that_is_far_off_is_scored_as_an_anomaly_not_refused(rows):
    values = FLAT[:KEPT_BACK].copy()
    values[7] *= 1e5
    rows.score(values, "NF")
    table = rows.batches()[0].table().set_index("sample_id")
    assert table.loc["new/007", "anomaly"]


def test_an_empty_file_in_a_folder_of_tables_hides_nothing(rows, tmp_path):
    from ae_pipelines.base.errors import NothingThere
    from ae_pipelines.samples.sources.table import Table

    folder = tmp_path / "tables"
    folder.mkdir()
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    frame.iloc[:0].to_parquet(folder / "a.parquet")
    with pytest.raises(NothingThere):
        Table(path=folder).spec()
    frame.to_parquet(folder / "b.parquet")
    (block,) = Table(path=folder, standardise=False).blocks()
    assert block.ids == ["b/0", "b/1"]


def test_a_row_that_is_turned_is_drift_and_few_rows_say_nothing(images):
    images.score(np.rot90(NEW, axes=(1, 2)), name="turned")
    assert report(images, "drift")["verdict"] == "drift"
    images.score(NEW[:20], name="few")
    assert report(images, "drift")["verdict"] == "insufficient data"


def test_drift_ends_the_run_with_an_error_only_when_asked_to_and_after_everything_is_written(images):
    with pytest.raises(InputError, match="drift"):
        images.score(np.rot90(NEW, axes=(1, 2)), drift={"fail": True})
    assert len(images.batches()) == 1
    assert (images.data / "08_reporting" / "drift.png").exists()


def coloured(values):
    return np.repeat(values[..., None], 3, axis=3)


MISFITS = {
    "shape": (np.pad(NEW, ((0, 0), (1, 1), (1, 1))), "NHW", {}, r"shape \(1, 10, 10\)"),
    "channels": (coloured(NEW), "NHWC", {}, r"shape \(3, 8, 8\)"),
    "dtype": (NEW.astype(np.float32), "NHW", {}, "dtype 'float32'"),
    "value range": ((NEW > 127).astype(np.uint8), "NHW", {}, "scaled"),
    "layout": (NEW.reshape(len(NEW), -1), "NF", {}, r"shape \(64,\)"),
}
MISFIT_ROWS = {
    "features": (FLAT[:KEPT_BACK, :63], {}, r"shape \(63,\)"),
    "preprocessing": (FLAT[:KEPT_BACK], {"source": {"standardise": False}}, "preprocessing"),
    "NaN": (np.where(np.eye(KEPT_BACK, 64) > 0, np.nan, FLAT[:KEPT_BACK])[:, :64].astype(np.float32), {}, "NaN"),
    "one NaN": (np.concatenate([FLAT[:KEPT_BACK], np.full((1, 64), np.nan, np.float32)]), {}, "NaN or Inf"),
    "value range": (FLAT[:KEPT_BACK] * 1e5, {}, "scaled"),
    "type": (FLAT[:KEPT_BACK].astype(np.uint8), {}, "dtype 'uint8'"),
}


@pytest.mark.parametrize("what", MISFITS)
def test_images_that_break_the_contract_are_refused_and_nothing_is_written(images, what):
    values, layout, more, reason = MISFITS[what]
    with pytest.raises(InputError, match=reason):
        images.score(values, layout, **more)
    assert not images.batches()


@pytest.mark.parametrize("what", MISFIT_ROWS)
def test_rows_that_break_the_contract_are_refused_and_nothing_is_written(rows, what):
    values, more, reason = MISFIT_ROWS[what]
    with pytest.raises((InputError, DatasetError), match=reason):
        rows.score(values, "NF", **more)
    assert not rows.batches()


def test_a_source_whose_images_are_prepared_otherwise_is_refused_before_it_is_read(images):
    with pytest.raises(InputError, match="preprocessing"):
        images.run("score", source="digits")
    assert not (images.data / "02_intermediate" / "new_samples" / "manifest.json").exists()


def test_bad_rows_are_left_out_where_that_is_asked_for(rows):
    values = np.concatenate([FLAT[:KEPT_BACK], np.full((1, 64), np.nan, np.float32)])
    rows.score(values, "NF", score={"leave_out_bad_rows": True})
    (batch,) = rows.batches()
    assert len(batch.table()) == len({*map(bytes, FLAT[:KEPT_BACK])})


def test_an_empty_source_is_no_fault_and_what_lay_there_before_is_not_scored_again(images):
    images.score(NEW[:50])
    images.score(np.empty((0, 8, 8), np.uint8), name="empty")
    assert len(images.batches()) == 1
    assert report(images, "collect_metrics") == {
        **report(images, "collect_metrics"),
        **{"read": 0, "accepted": 0, "new": 0.0},
    }
    assert report(images, "drift")["verdict"] == "nothing new"


def test_the_rows_of_a_batch_are_judged_by_their_labels_where_they_have_some(images):
    from scoring.places import LABELS

    labels = np.where(np.arange(KEPT_BACK) < 10, 77, LABELS[:KEPT_BACK])
    np.savez(images.folder / "new.npz", values=NEW, labels=labels)
    source = {"name": "array", "path": str(images.folder / "new.npz"), "layout": "NHW", "key": "values"}
    images.run("score", source={**source, "labels": "labels"})
    metrics = report(images, "score_metrics")
    (batch,) = images.batches()
    known = batch.table().query("label != '77'")
    assert metrics["accuracy"] == pytest.approx((known["label"] == known["predicted"]).mean())
    assert metrics["of_unseen_classes"] == 10
    bounds = intervals.proportion(metrics["accuracy"], len(known))
    assert (metrics["accuracy_low"], metrics["accuracy_high"]) == bounds
    bounds = intervals.proportion(metrics["anomaly_share"], KEPT_BACK)
    assert (metrics["anomaly_share_low"], metrics["anomaly_share_high"]) == bounds
