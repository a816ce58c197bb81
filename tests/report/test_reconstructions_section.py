import numpy as np
import pytest
from small_results import NASTY, TableSource, made, text_of

from ae_pipelines.report.sections import reconstructions


def history(*phases):
    rows = []
    for phase, term, values in phases:
        for value in values:
            best = value == min(values)
            rows.append(
                {"phase": phase, f"train/{term}": value, f"validation/{term}": value * 1.1, "best_so_far": best}
            )
    return rows


def test_best_middle_and_worst_test_samples_are_shown_with_their_errors(tmp_path, monkeypatch):
    monkeypatch.setattr(reconstructions, "EACH", 3)
    html = reconstructions.section(made(tmp_path)).html  # errors grow with the row; every fourth is a test row
    best, middle, worst = (part.split("<h3")[0] for part in html.split("</h3>")[1:4])
    assert "array/0<" in best
    assert "array/36<" in worst
    assert "array/36<" not in best + middle
    assert html.count("data:image/png") == 9 * 3  # original, rebuilt, error


def test_what_the_corruption_showed_the_model_is_shown_too(tmp_path):
    html = reconstructions.section(made(tmp_path, corruptions=("gaussian_noise",))).html
    assert html.count("<figcaption>corrupted") == 10
    assert "(gaussian noise)" in text_of(html)


def test_a_table_shows_columns_with_values_as_they_were(tmp_path):
    rows = np.tile(np.array([[1.0, -1.0]], np.float32), (40, 1)) + np.arange(40, dtype=np.float32)[:, None] / 1000
    html = reconstructions.section(made(tmp_path, source=TableSource(rows, None, ["test", "train"] * 20))).html
    said = text_of(html)
    assert "height 12 11 " in said  # 1 × 2 + 10, and half of it rebuilt
    assert NASTY in said
    assert "<script" not in html


def test_series_are_shown_as_curves(tmp_path):
    waves = np.sin(np.arange(40)[:, None] + np.linspace(0, 6, 50)).astype(np.float32)
    html = reconstructions.section(made(tmp_path, waves)).html
    assert html.count('class="curves"') == 10 * 2
    assert "data:image" not in html


def test_a_method_without_decoder_shows_its_training_only(tmp_path):
    section = reconstructions.section(
        made(tmp_path, decodes=False, training_history=history(("fit", "a/loss", [3.0, 2.0])))
    )
    assert section.title == "Training"
    assert "autoencoder has no decoder" in text_of(section.html)
    assert reconstructions.section(made(tmp_path / "neither", decodes=False)) is None


@pytest.mark.parametrize(
    ("phases", "said"),
    [
        ([("fit", "a/mse", [3.0, 1.0, 2.0])], "3 epochs; the weights of epoch 2 were kept"),
        (
            [("one", "a/mse", [3.0, 1.0]), ("two", "b/mse", [2.0, 1.0])],
            "4 epochs in 2 phases (one, two); the weights of epoch 2 and 4",
        ),
    ],
)
def test_each_loss_term_has_a_chart_that_marks_the_kept_epoch(tmp_path, phases, said):
    html = reconstructions.section(made(tmp_path, training_history=history(*phases))).html
    assert said in text_of(html)
    assert html.count('class="chart"') == len({term for _, term, _ in phases})
    assert html.count(">kept: ") == len(phases)


def test_a_history_with_numbers_missing_is_still_drawn(tmp_path):
    rows = [{"phase": "fit", "train/a/mse": float("nan")}, {"phase": "fit", "train/a/mse": 1.0}]
    assert 'class="chart"' in reconstructions.section(made(tmp_path, training_history=rows)).html
