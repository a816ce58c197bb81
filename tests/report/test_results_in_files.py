"""What is shown of tables with a row a sample is the same whether they are in memory or in files."""

import numpy as np
import pandas as pd
import pytest
from small_results import ROWS, labels_of, made, on_latents

from ae_pipelines.base.tables import TableFile, TableStream
from ae_pipelines.downstream.clustering import Tried
from ae_pipelines.downstream.group_contents import cluster_sizes
from ae_pipelines.report.page_data.fields import fields_of
from ae_pipelines.report.sections import classifier, groups, odd
from ae_pipelines.report.shown import labelling

CLUSTERS = np.where(np.arange(ROWS) % 9 == 0, -1, np.arange(ROWS) % 3).astype(np.int32)
LABELS = [name if row % 5 else None for row, name in enumerate(labels_of())]
MODELS = {
    "cluster_model": {"kind": "kmeans", "tried": Tried([], "silhouette", []), "centres": np.zeros((3, 2))},
    "classifier": {"kind": "knn", "classes": np.array(["cat", "dog"])},
    "anomaly_model": {
        **{"kind": "mahalanobis", "threshold": 30.0, "alarms_per_thousand": 1.0},
        **{"calibration_rows": 10, "held_out": True, "cautions": []},
    },
}


def tables(latents):
    ids = latents.column("sample_id")
    predicted = pd.Series(["dog", "cat", "cat", "dog"] * (ROWS // 4), dtype="str")
    return {
        "clusters": {"cluster": CLUSTERS, "distance": np.where(CLUSTERS < 0, np.nan, np.arange(ROWS)[::-1] % 11)},
        "predictions": {"predicted": predicted, "probability": np.linspace(0.3, 1, ROWS, dtype=np.float32)},
        "anomalies": {"score": np.arange(ROWS, dtype=np.float32), "anomaly": np.arange(ROWS) > 30},
    }, ids


def results(folder, in_files):
    def table(name):
        def make(latents):
            found, ids = tables(latents)
            frame = pd.DataFrame({"sample_id": ids, **found[name]})
            if not in_files:
                return frame
            TableStream(iter([frame[:7], frame[7:]])).into(folder / f"{name}.parquet")
            return TableFile(folder / f"{name}.parquet")

        return make

    parts = {name: table(name) for name in ("clusters", "predictions", "anomalies")}
    parts |= {name: on_latents(**about) for name, about in MODELS.items()}
    parts["cluster_sizes"] = lambda latents: cluster_sizes(latents, pd.DataFrame(tables(latents)[0]["clusters"]))
    return made(folder, labels=LABELS, **parts)


@pytest.fixture
def both(tmp_path):
    return results(tmp_path / "memory", in_files=False), results(tmp_path / "files", in_files=True)


@pytest.mark.parametrize("section", [groups.section, odd.section, classifier.section])
def test_sections_are_the_same(both, section):
    ours, theirs = (section(one) for one in both)
    assert theirs.html == ours.html
    np.testing.assert_array_equal(theirs.rows, ours.rows)


def test_fields_of_the_map_are_the_same(both):
    ours, theirs = (fields_of(one, np.array([1, 8, 9, 39])) for one in both)
    assert {"group", "group_distance", "predicted", "right", "anomaly"} < {field.name for field in ours}
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(one.values, other.values)


def test_typical_samples_are_proposed_in_turn_of_groups_and_splits(both):
    for one in both:
        one.predictions = None
        found = labelling.to_label(one)
        table = pd.DataFrame(tables(one.latents)[0]["clusters"]).assign(split=one.latents.column("split"))
        table = table[(table["cluster"] >= 0) & ~one.latents.labelled].sort_values("distance", kind="stable")
        turn = table.groupby(["cluster", "split"]).cumcount()
        expected = table[turn < 6].assign(turn=turn).sort_values(["turn", "cluster", "split"])
        assert [proposed.row for proposed in found] == expected.index.tolist()
        assert [proposed.why for proposed in found] == [f"group {number}" for number in expected["cluster"]]
