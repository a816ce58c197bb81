from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from matplotlib.colors import to_hex

from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.drift import DriftOptions, compare
from ae_pipelines.downstream.on_latents import EncodedBy
from ae_pipelines.plots import drift as plots


def side(rows, size, shift=0.0):
    draw = np.random.default_rng(rows + size)
    vectors = draw.normal(size=(rows, size)).astype(np.float32)
    vectors[:, 1] += shift
    clusters = draw.integers(-1, 9, rows).astype(np.int32)
    return Distribution(EncodedBy("mine", size), vectors, clusters, draw.gamma(4, 1e-3, rows).astype(np.float32))


def drawn(reference, batch):
    report = compare(reference, batch, DriftOptions())
    return plots.drift(reference, batch, report), report


def red_bars(axis):
    return [number for number, bar in enumerate(axis.patches) if to_hex(bar.get_facecolor()) == plots.DRIFTED]


@pytest.mark.parametrize("size", [2, 10, 64])
def test_latents_that_drifted_are_red_bars_that_cross_the_line(size):
    figure, report = drawn(side(5000, size), side(1000, size, shift=0.6))
    _, _, axis = figure.get_axes()
    assert len(axis.patches) == size
    assert red_bars(axis) == [1]
    (line,) = axis.get_lines()
    assert set(line.get_ydata()) == {report["drift_from"]}
    assert axis.patches[1].get_height() > report["drift_from"]
    assert axis.get_title() == f"latents: 1 of {size} drifted"
    saved = BytesIO()
    figure.savefig(saved)
    assert len(saved.getvalue()) < 100_000


def test_both_shares_of_each_cluster_stand_side_by_side():
    figure, report = drawn(side(5000, 2), side(1000, 2))
    axis = figure.get_axes()[1]
    heights = np.reshape([bar.get_height() for bar in axis.patches], (2, -1)).T
    np.testing.assert_allclose(heights, list(report["clusters"]["shares"].values()))
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["noise", *map(str, range(9))]


def test_without_errors_two_panels_are_left():
    figure, _ = drawn(replace(side(5000, 4), errors=None), side(1000, 4))
    assert [axis.get_title().split(":")[0] for axis in figure.get_axes()] == ["clusters", "latents"]


def test_too_few_rows_are_shown_and_not_judged():
    figure, _ = drawn(side(5000, 4), side(30, 4, shift=3))
    assert figure.get_suptitle().startswith("Insufficient data: 200 new rows are needed")
    axis = figure.get_axes()[2]
    assert axis.get_title() == "latents: too few rows to judge"
    assert len(axis.patches) == 4
    assert not red_bars(axis)
    assert not axis.get_lines()


def test_nothing_new_is_said_in_the_picture():
    figure, _ = drawn(side(5000, 4), side(0, 4))
    (axis,) = figure.get_axes()
    assert [text.get_text() for text in axis.texts] == ["Nothing new: there are no rows to look at."]


def test_of_very_many_latents_and_groups_those_that_differ_most_are_shown():
    reference, batch = side(1000, 150), side(1000, 150, shift=1)
    batch.vectors[:, 140] += 1
    reference, batch = (replace(one, clusters=np.arange(1000, dtype=np.int32) % 50) for one in (reference, batch))
    batch.clusters[batch.clusters == 7] = 8
    figure, _ = drawn(reference, batch)
    assert len(red_bars(figure.get_axes()[2])) == 2
    shown = [tick.get_text() for tick in figure.get_axes()[1].get_xticklabels()]
    assert len(shown) == plots.MOST_CLUSTERS
    assert {"7", "8"} <= {*shown}
    assert len(figure.get_axes()[2].patches) == plots.MOST_LATENTS
