"""What Embedding Atlas is given."""

import pandas as pd
import pytest
from click.testing import CliRunner
from making import PROJECT

from ae_pipelines.project import atlas


@pytest.fixture
def data(tmp_path):
    """A data folder with a map of latents."""
    for name in (atlas.LATENTS, atlas.MAP):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    places = pd.DataFrame({"sample_id": ["a"], "pca_x": [0.0], "pca_y": [0.0], "umap_x": [1.0], "umap_y": [1.0]})
    places.to_parquet(tmp_path / atlas.MAP)
    return tmp_path


@pytest.fixture
def started(monkeypatch):
    """How the program was started."""
    calls = []
    monkeypatch.setattr(atlas.os, "execv", lambda program, arguments: calls.append(arguments))
    monkeypatch.chdir(PROJECT)
    return calls


def test_it_is_given_latents_with_the_places_that_were_computed_and_needs_no_network(data, started):
    answer = CliRunner().invoke(atlas.main, ["--atlas=/bin/atlas", f"--data-dir={data}", "--port=7"])
    assert answer.exit_code == 0, answer.output
    (call,) = started
    assert call[:2] == ["/bin/atlas", str(data / atlas.LATENTS)]
    assert {"--x=pca_x", "--y=pca_y", "--duckdb=server", "--host=127.0.0.1", "--port=7"} < set(call)
    assert "clusters" not in call[2]
    (data / atlas.CLUSTERS).touch()
    CliRunner().invoke(atlas.main, ["--atlas=/bin/atlas", f"--data-dir={data}"])
    assert f"LEFT JOIN read_parquet('{data / atlas.CLUSTERS}') USING (sample_id)" in started[1][2]


def test_a_quote_in_a_path_stays_in_its_text(data, tmp_path):
    odd = tmp_path / "it's.parquet"
    (data / atlas.MAP).rename(odd)
    assert f"read_parquet('{tmp_path}/it''s.parquet')" in " ".join(atlas.arguments(odd, odd, tmp_path / "none", 1))


def test_without_a_map_it_is_said_what_makes_one(data, started):
    (data / atlas.MAP).unlink()
    answer = CliRunner().invoke(atlas.main, ["--atlas=/bin/atlas", f"--data-dir={data}"])
    assert answer.exit_code == 1
    assert answer.output == f"Error: there is no {data / atlas.MAP}: make encode viz makes it\n"
    assert not started
