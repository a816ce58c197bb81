import numpy as np
import pandas as pd
from small_results import NASTY, ROWS, TableSource, galleries, labels_of, made, on_latents, text_of

from ae_pipelines.report.sections import odd


def detected(folder, **parts):
    scores = np.linspace(0.1, 1, ROWS, dtype=np.float32)
    table = pd.DataFrame({"score": scores, "anomaly": scores > 0.9})
    about = {
        "kind": "knn_distance",
        "threshold": 0.9,
        "calibration_rows": 71,
        "alarms_per_thousand": 1.0,
        "held_out": True,
    }
    model = on_latents(**about, cautions=["the threshold is set on few rows"])
    anomalies = lambda latents: table.assign(sample_id=latents.column("sample_id"))  # noqa: E731
    return made(folder, **{"anomaly_model": model, "anomalies": anomalies, **parts})


def test_there_is_no_section_without_a_detector(tmp_path):
    assert odd.section(made(tmp_path)) is None


def test_the_threshold_is_told_with_the_rows_that_it_rests_on(tmp_path):
    said = text_of(odd.section(detected(tmp_path)).html)
    assert "5 of 40 samples lie above the threshold 0.9. It is set on 71 normal samples that were held out" in said
    assert "The threshold is set on few rows." in said
    assert "distance of the latent to the nearest normal ones" in said


def test_the_oddest_come_first_and_more_of_them_as_a_gallery(tmp_path):
    section = odd.section(detected(tmp_path))
    assert section.html.index("array/39<") < section.html.index("array/38<")
    assert section.html.count("data:image/png") == 12 * 3
    (beside, captions), *_ = galleries(section.html)
    assert beside == list(range(27, -1, -1))
    assert captions[0] == "0.723"
    assert section.rows.tolist() == list(range(ROWS))


def test_a_method_without_decoder_shows_a_gallery_alone(tmp_path):
    section = odd.section(detected(tmp_path, decodes=False))
    assert galleries(section.html)[0][0][:2] == [39, 38]
    assert "data:image" not in section.html


def test_a_table_says_which_columns_make_a_row_odd(tmp_path):
    rows = np.tile(np.array([[4.0, 1.0]], np.float32), (ROWS, 1)) + np.arange(ROWS, dtype=np.float32)[:, None] / 1000
    html = odd.section(detected(tmp_path, source=TableSource(rows, None, ["test", "train"] * 20))).html
    assert "height 18.078 14.039 94 %" in text_of(html)
    assert "<script" not in html


def test_known_anomalies_and_alarms_by_class_are_told(tmp_path):
    metrics = {"auroc": 0.91, "auroc_low": 0.8, "auroc_high": 0.97, "pca_auroc": 0.7, "anomalous_rows": 12.0}
    said = text_of(odd.section(detected(tmp_path, labels=labels_of((NASTY, "dog")), detect_metrics=metrics)).html)
    assert "12 test samples are known to be odd" in said
    assert "in 0.910 of all pairs (AUROC; 0.5 is chance) (95 % interval: 0.800 to 0.970); by PCA 0.700" in said
    assert "Above the threshold, by class" in said
    assert f"{NASTY} 20 2 10 %" in said
    assert "dog 20 3 15 %" in said


def test_the_histogram_says_how_many_lie_above(tmp_path):
    assert "above the threshold: 10\u00a0% of normal, test" in odd.section(detected(tmp_path)).html
