import numpy as np
import pandas as pd
import pytest

from ae_pipelines.downstream import calibration
from ae_pipelines.plots import anomalies, classes


def table(rows, accuracy):
    bins = np.arange(len(rows)) / calibration.BINS
    return pd.DataFrame({"from": bins, "rows": rows, "confidence": bins + 0.03, "accuracy": accuracy})


def test_bins_of_fewer_than_ten_rows_are_merged_and_no_row_is_lost():
    given = table([4, 4, 4, 30, 9, 1, 3], [0.0, 0.5, 1.0, 0.8, 1.0, 0.0, 1.0])
    found = classes.merged(given)
    assert found["rows"].tolist() == [12, 30, 13]
    np.testing.assert_allclose(found["accuracy"], [6 / 12, 0.8, 12 / 13])
    weighted = (found["confidence"] * found["rows"]).sum(), (given["confidence"] * given["rows"]).sum()
    assert weighted[0] == pytest.approx(weighted[1])


@pytest.mark.parametrize("rows", [[10, 20], [3, 2], [1]])
def test_full_bins_stay_and_few_rows_are_one_bin(rows):
    expected = rows if min(rows) >= 10 else [sum(rows)]
    assert classes.merged(table(rows, [0.5] * len(rows)))["rows"].tolist() == expected


def test_each_dot_has_its_interval():
    given = table([20, 5, 5], [0.9, 0.2, 1.0])
    upper = classes.reliability(given, given).get_axes()[0]
    bars = next(one for one in upper.collections if hasattr(one, "get_segments"))
    low, high = bars.get_segments()[0][:, 1]
    # Wilson 1927, eq. 13 at 18 of 20 and z = 1.96: (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    assert (low, high) == pytest.approx((0.6990, 0.9721), abs=1e-4)
    assert len(bars.get_segments()) == 2


def counts_of(number):
    counts = np.full((number, number), 1) + 100 * np.eye(number, dtype=int)
    counts[5, number - 1] += 50
    names = [f"class {place}" for place in range(number)]
    return pd.DataFrame(counts, names, names)


def test_of_many_classes_the_most_confused_are_shown_and_said():
    figure = classes.confusion_matrix(counts_of(200), 0.5)
    (axis,) = figure.get_axes()
    shown = [tick.get_text() for tick in axis.get_yticklabels()]
    assert len(shown) == classes.MOST_CLASSES
    assert {"class 5", "class 199"} <= {*shown}
    assert "the 30 most confused of 200 classes" in axis.get_title().replace("\n", " ")
    assert "150" not in [text.get_text() for text in axis.texts]
    assert "51" in [text.get_text() for text in axis.texts]


def test_of_thirty_classes_all_are_shown():
    (axis,) = classes.confusion_matrix(counts_of(30), 0.5).get_axes()
    assert len(axis.get_yticklabels()) == 30
    assert "confused" not in axis.get_title()


def test_the_threshold_says_on_how_many_rows_it_rests():
    rows = {"sample": np.zeros((2, 1, 4, 4))}
    figure = anomalies.oddest(rows, np.array([2.0, 1.0]), {"normal, test": np.ones(4)}, 1.5, 1234, "the oddest")
    legends = [
        text.get_text() for axis in figure.get_axes() if axis.get_legend() for text in axis.get_legend().get_texts()
    ]
    assert "threshold 1.5 (set on 1,234 rows)" in legends
    (axis,) = anomalies.two_ranges({"a": np.ones(4)}, 0.5, 2, 1234, "verdict").get_axes()
    assert "training range (0.1 % to 99.9 % of 1,234 rows)" in [
        text.get_text() for text in axis.get_legend().get_texts()
    ]
