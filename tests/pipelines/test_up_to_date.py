"""What `--only-missing-outputs` takes for there: what is whole, and made from what is there now."""

import logging

import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from ae_pipelines.io.source import SourceDataset
from ae_pipelines.project.origins import Origins

STAGES = ("ingest", "fit", "embed", "cluster")


@pytest.fixture
def made(ran, run, caplog):
    """A folder in which these stages were run, and a function that runs what is missing there: it gives the files that
    are new, by name, and the lines that say why."""
    data = ran(*STAGES)

    def again(*stages, **params):
        before = changed_at(data)
        caplog.clear()
        with caplog.at_level(logging.INFO):
            run(*(stages or STAGES), only_missing=True, **params)
        lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("made")]
        return {path.name for path, time in changed_at(data).items() if before.get(path) != time}, lines

    return data, again


def changed_at(data):
    notes = ("given.json", "warnings.json")
    files = [path for path in data.rglob("*") if path.is_file() and path.name[0] != "." and path.name not in notes]
    return {path: path.stat().st_mtime_ns for path in files}


def test_nothing_is_made_twice(made):
    _, again = made
    assert again() == (set(), [])


def test_what_another_option_makes_is_made_again_and_nothing_else(made):
    _, again = made
    files, lines = again(cluster={"clusters": 7})
    assert {"cluster_model.skops", "clusters.parquet", "cluster_metrics.json", "cluster_report.png"} <= files
    assert not {"weights.safetensors", "latents.parquet", "manifest.json"} & files
    assert "made again, since cluster.clusters was None and is 7: cluster_model, pca_cluster_model" in lines
    assert again(cluster={"clusters": 7}) == (set(), [])


def test_another_recipe_is_trained_and_all_that_follows(made):
    _, again = made
    files, lines = again(recipe={"name": "dense", "training": {"epochs": 1, "threads": 1}, "model": {"latent_size": 5}})
    assert {"weights.safetensors", "latents.parquet", "clusters.parquet"} <= files
    assert "manifest.json" not in files, "samples are the same"
    assert any("recipe.model.latent_size was" in line and "and is 5: autoencoder" in line for line in lines)


def test_a_new_encoder_makes_old_latents_missing(made, run):
    _, again = made
    run("fit", recipe={"name": "dense", "training": {"epochs": 1, "threads": 1, "seed": 3}})
    files, lines = again("embed", "cluster")
    assert {"latents.parquet", "clusters.parquet"} <= files
    assert any(line.startswith("made again, since autoencoder is another one: ") for line in lines)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("07_model_output/latents.parquet", lambda content: content[:-1]),
        ("02_intermediate/samples/shard", lambda content: content[:400] + b"?" + content[401:]),
    ],
)
def test_what_is_damaged_is_made_again(made, name, damage):
    data, again = made
    (path,) = data.glob(f"{name}*")
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    files, lines = again()
    assert path.name in files
    assert any(line.startswith("made again, since damaged: ") for line in lines)
    if "shard" in name:
        assert path.read_bytes() == whole
    assert again() == (set(), [])


def test_a_file_that_is_gone_is_made_again_with_what_stands_on_it(made):
    data, again = made
    (data / "06_models/cluster_model.skops").unlink()
    files, lines = again()
    assert {"cluster_model.skops", "clusters.parquet", "cluster_metrics.json"} <= files
    assert lines[0] == "made, since not there: cluster_model"
    assert any(line.startswith("made again, since cluster_model is made again: clusters") for line in lines)


def test_files_of_a_source_that_changed_are_ingested_again(run, tmp_path, caplog):
    table = tmp_path / "given.csv"
    rows = [f"{number % 7},{number * 3 % 11},{number % 2}" for number in range(60)]
    table.write_text("\n".join(["a,b,label", *rows]))
    given = {"source": {"name": "table", "path": str(table)}}
    data = run("ingest", **given)
    before = (data / "02_intermediate/samples/manifest.json").read_text()
    table.write_text("\n".join(["a,b,label", *rows, "3,9,1"]))
    with caplog.at_level(logging.INFO):
        run("ingest", only_missing=True, **given)
    assert (data / "02_intermediate/samples/manifest.json").read_text() != before
    assert f"made again, since files in {table} have changed" in caplog.text


def test_a_recipe_that_samples_decide_is_up_to_date_too(run, caplog):
    data = run("ingest", "fit", recipe={"name": "auto", "training": {"epochs": 1, "threads": 1}})
    before = changed_at(data)
    run("ingest", "fit", only_missing=True, recipe={"name": "auto", "training": {"epochs": 1, "threads": 1}})
    assert changed_at(data) == before


def test_files_that_are_fetched_while_samples_are_written_are_not_taken_for_changed(tmp_path):
    place = tmp_path / "fetched"
    catalog = DataCatalog({"source": SourceDataset(kind="idx", path=str(place), name="mnist", fetch="mnist")})
    node = Node(lambda source: source, "source", "samples")
    before = Origins(Pipeline([node]), catalog).of(node)
    place.mkdir()
    (place / "images").write_bytes(b"fetched")
    assert Origins(Pipeline([node]), catalog).of(node) == before
