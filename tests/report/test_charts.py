import re

import numpy as np
import pytest

from ae_pipelines.report.shown import charts, pictures
from ae_pipelines.report.shown.charts import Line, Mark
from ae_pipelines.report.shown.scales import Axis, Scale, shown

NASTY = '"><script>alert(1)</script>'


def test_a_chart_says_in_words_what_it_shows_and_its_names_are_text():
    chart = charts.line_chart([Line(NASTY, [1, 2], [3.0, 4.0])], NASTY, Axis(NASTY), Axis("y"), [Mark(1, NASTY)])
    assert chart.startswith('<svg class="chart"')
    assert 'role="img" aria-label="&#34;&gt;' in chart
    assert "<script" not in chart
    assert "style=" not in chart


def test_higher_values_lie_higher_and_missing_ones_are_left_out():
    chart = charts.line_chart([Line("a", [0, 1, 2], [1.0, np.nan, 2.0])], "", Axis("x"), Axis("y"))
    points = re.search(r'class="line ours" points="([^"]*)"', chart)[1].split()
    (_, first), (_, last) = (point.split(",") for point in points)
    assert len(points) == 2
    assert float(first) > float(last)  # in SVG y grows downwards


def test_names_of_lines_that_end_together_do_not_lie_on_each_other():
    lines = [Line(name, [0, 1], [1.0, 1.0 + place / 1000]) for place, name in enumerate("abc")]
    chart = charts.line_chart(lines, "", Axis("x"), Axis("y", most=10))
    heights = sorted(float(y) for y in re.findall(r'class="name ours" x="[^"]*" y="([^"]*)"', chart))
    assert min(np.diff(heights)) >= charts.LINE


@pytest.mark.parametrize(("low", "high"), [(0, 1), (3.2, 97), (-5, 5), (1e-6, 2e-6), (0, 123456)])
def test_an_axis_names_a_few_round_values(low, high):
    ticks = Scale(low, high, 0, 100).ticks()
    assert 2 <= len(ticks) <= 11
    assert low <= min(ticks)
    assert max(ticks) <= high * 1.0001


def test_a_logarithmic_axis_names_powers():
    assert Scale(0.9, 1500, 0, 100, log=True).ticks() == [1, 10, 100, 1000]
    assert Scale(10, 1000, 0, 100, log=True)(100) == pytest.approx(50)


def test_one_value_alone_can_be_drawn():
    assert "circle" in charts.line_chart([Line("a", [1], [0.0])], "", Axis("x"), Axis("y"))
    assert "polygon" in charts.histograms({"a": np.array([1.0, 1.0])}, "", Axis("x", log=True))


def test_a_long_curve_keeps_its_peak():
    values = np.zeros(5000)
    values[1234] = 9
    places, kept = charts.thinned(values)
    assert len(kept) <= charts.MOST_POINTS
    assert kept[places == 1234] == 9


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0"), (0.008618, "0.00862"), (26551.4, "26,551"), (2.8e-7, "2.8e-7"), (float("nan"), "none")],
)
def test_numbers_are_written_as_people_read_them(value, said):
    assert shown(value) == said


def test_a_small_picture_is_exact_and_a_large_one_small():
    import base64
    from io import BytesIO

    from PIL import Image

    image = np.arange(48, dtype=np.uint8).reshape(3, 4, 4) * 5
    address = pictures.address(image)
    held = Image.open(BytesIO(base64.b64decode(address.partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(held).transpose(2, 0, 1), image)
    large = pictures.address(np.random.default_rng(0).integers(0, 255, (1, 500, 400), dtype=np.uint8))
    assert large.startswith("data:image/webp")
    assert len(large) < 12_000


def test_no_error_is_black_and_a_large_one_white():
    clean = np.zeros((1, 1, 2, 2), np.float32)
    found = pictures.heat(np.array([[[[0.0, 0.1], [0.3, 0.9]]]]), clean)
    assert found[0, :, 0, 0].tolist() == [0, 0, 0]
    assert found[0, :, 1, 1].tolist() == [255, 255, 255]
    assert found[0, 0, 0, 1] > 0 == found[0, 2, 0, 1]
