import re

import numpy as np
import pandas as pd
from small_results import NASTY, TableSource, galleries, labels_of, made, on_latents, openers, text_of

from ae_pipelines.downstream.clustering import Tried
from ae_pipelines.downstream.group_contents import cluster_sizes
from ae_pipelines.report.sections import groups

SPLITS = ["test", "train", "train", "train"] * 10
NOTHING_TRIED = Tried([], "silhouette", [])


def clustered(folder, clusters, labels=None, tried=NOTHING_TRIED, **parts):
    clusters = np.array(clusters, np.int32)
    distances = np.where(clusters < 0, np.nan, np.arange(len(clusters), dtype=float)[::-1])
    table = pd.DataFrame({"cluster": clusters, "distance": distances})
    model = on_latents(kind="kmeans", tried=tried, centres=np.zeros((int(clusters.max()) + 1, 2)))
    return made(
        folder,
        labels=labels,
        cluster_model=model,
        clusters=lambda latents: table.assign(sample_id=latents.column("sample_id")),
        cluster_sizes=lambda latents: cluster_sizes(latents, table),
        **parts,
    )


def test_there_is_no_section_without_groups(tmp_path):
    assert groups.section(made(tmp_path)) is None


def test_each_group_shows_its_nearest_and_its_farthest_members(tmp_path):
    section = groups.section(clustered(tmp_path, [0] * 30 + [1] * 10))
    (nearest, captions), (farthest, _), (small, _) = galleries(section.html)
    assert nearest == list(range(29, 17, -1))  # the last rows are the nearest
    assert captions[:2] == ["10", "11"]
    assert farthest == [0, 1, 2, 3]
    assert small == list(range(39, 29, -1))  # all of a small group, and no farthest ones
    assert set(section.rows) == {*nearest, *farthest, *small}
    assert openers(section.html)[0] == ({"group": "0"}, "show all")


def test_the_commonest_label_stands_with_its_counts(tmp_path):
    labels = ["cat"] * 15 + ["dog"] * 5 + [None] * 20
    said = text_of(groups.section(clustered(tmp_path, [0] * 20 + [1] * 20, labels)).html)
    assert "mostly “cat”: 15 of 20 with a label, 75\u00a0% (53 to 89)".replace("\u00a0", " ") in said
    assert "no member has a label" in said


def test_of_many_groups_the_largest_are_shown_and_the_rest_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "MOST_GROUPS", 2)
    section = groups.section(clustered(tmp_path, [0] * 5 + [1] * 20 + [2] * 12 + [3] * 3))
    assert [where["group"] for where, _ in openers(section.html)] == ["1", "2"]
    assert "2 smaller groups are not shown: they have 3 to 5 samples, 8 together" in text_of(section.html)


def test_samples_in_no_group_are_told(tmp_path):
    said = text_of(groups.section(clustered(tmp_path, [-1] * 10 + [0] * 30)).html)
    assert "10 samples (25 %) are in no group" in said
    assert "No group was found" in text_of(groups.section(clustered(tmp_path / "all", [-1] * 40)).html)


def test_how_the_number_was_chosen_is_drawn(tmp_path):
    tried = Tried([2, 3, 4], "silhouette", [0.2, 0.5, float("nan")])
    section = groups.section(clustered(tmp_path, [0, 1, 2, 0] * 10, tried=tried))
    assert 'aria-label="silhouette for 2 to 4 groups; 3 were chosen"' in section.html


def test_a_group_of_a_table_tells_in_which_columns_it_is_peculiar(tmp_path):
    rows = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32) / 100
    rows[:20, 1] += 3  # 3 standard deviations above the mean, which is 10
    section = groups.section(clustered(tmp_path, [0] * 20 + [1] * 20, source=TableSource(rows, None, SPLITS)))
    first, second = (text_of(part) for part in section.html.split("<h3>")[1:])
    assert re.search(rf"{re.escape(NASTY)} 1[56]", first)
    assert re.search(rf"{re.escape(NASTY)} (9[.]99|10)", second)


def test_labels_are_text_and_nothing_else(tmp_path):
    section = groups.section(clustered(tmp_path, [0, 1] * 20, labels_of((NASTY, "dog"))))
    assert "<script" not in section.html
    assert NASTY in text_of(section.html)
