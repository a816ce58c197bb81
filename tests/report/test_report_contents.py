import base64
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from made_contents import results_of, store_of

from ae_pipelines.report.options import ReportOptions
from ae_pipelines.report.page import SCRIPTS, STYLES
from ae_pipelines.report.page_data.contents import Contents, contents
from ae_pipelines.report.page_data.packed import NO_PLACE
from ae_pipelines.report.results import Results
from ae_pipelines.report.tuned import page as tuned
from ae_pipelines.report.two_runs import page as comparing

COUNT = 600
NOTHING = np.empty(0, np.int64)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (COUNT, 1, 24, 24), dtype=np.uint8)
    samples = store_of(tmp_path_factory.mktemp("store"), values)
    return results_of(samples, rng.normal(size=(COUNT, 8)).astype(np.float32))


def made(results: Results, most_bytes: int, always: np.ndarray = NOTHING) -> Contents:
    return contents(results, ReportOptions(), always, most_bytes)


def unpacked(found: Contents) -> dict[str, np.ndarray]:
    content = gzip.decompress(base64.b64decode(found.block))
    index = json.loads(found.index)["columns"].items()
    return {name: np.frombuffer(content, part["type"], part["length"], part["offset"]) for name, part in index}


def rows_of(found: Contents) -> int:
    return json.loads(found.index)["columns"]["row"]["length"]


def test_thumbnails_become_smaller_and_coarser_until_all_fits(results: Results):
    large, small = made(results, 5_000_000), made(results, 120_000)
    kinds = [json.loads(found.index)["thumbnails"] for found in (large, small)]
    assert kinds[0]["width"] == 24
    assert kinds[1]["width"] < 24
    assert small.size <= 120_000
    assert rows_of(small) == COUNT
    assert not small.notes


def test_where_even_the_smallest_do_not_fit_fewer_points_are_shown_and_it_is_said(results: Results):
    found = made(results, 50_000)
    assert found.size <= 50_000
    assert 100 < rows_of(found) < COUNT
    assert found.notes[0].startswith(f"The map shows {found.points} of 600 samples, picked at random")


def test_samples_that_sections_show_are_there_however_few_points_are(results: Results):
    always = np.array([3, COUNT - 1])
    found = made(results, 50_000, always)
    columns = unpacked(found)
    rows, places = columns["row"], columns["place/pca"].reshape(-1, 2)
    assert {*always.tolist()} <= {*rows.tolist()}
    assert found.points < COUNT
    assert np.count_nonzero((places < NO_PLACE).all(axis=1)) == found.points


def test_a_page_that_can_be_made_no_smaller_is_made_all_the_same(results: Results, caplog: pytest.LogCaptureFixture):
    found = made(results, 3_000)
    assert found.points == 100
    assert "larger than report.max_bytes" in caplog.text


def test_the_same_results_give_the_same_contents(results: Results):
    assert made(results, 50_000) == made(results, 50_000)


def test_what_is_in_names_cannot_end_the_script_that_holds_them(tmp_path: Path):
    vectors = np.eye(3, dtype=np.float32)
    found = results_of(store_of(tmp_path, vectors, labels=["</script><b>", "<!--", "b"]), vectors)
    index = made(found, 1_000_000).index
    assert "<" not in index
    assert json.loads(index)["fields"][0]["names"] == ["<!--", "</script><b>", "b"]


def test_every_script_and_style_there_is_belongs_to_a_page():
    from importlib.resources import files

    there = {file.name for file in (files("ae_pipelines.report") / "static").iterdir()}
    assert there == {*SCRIPTS, *STYLES, *comparing.SCRIPTS, *comparing.SHEETS, *tuned.SCRIPTS, *tuned.SHEETS}


def test_no_script_reads_text_as_html():
    from importlib.resources import files

    for name in SCRIPTS:
        text = (files("ae_pipelines.report") / "static" / name).read_text()
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute('style'"):
            assert way not in text, name
