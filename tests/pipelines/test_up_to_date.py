"""What `--only-missing-outputs` takes for there: what is whole, and made from what is there now."""

import logging

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from ae_pipelines.io.scoring import ModelRegistryDataset
from ae_pipelines.io.source import SourceDataset
from ae_pipelines.project.origins import Origins
from ae_pipelines.samples.ingest import IngestOptions
from ae_pipelines.training.options import TrainOptions

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


def given(name, dataset):
    """What a node is given by one entry."""
    node = Node(lambda value: value, name, "made")
    return Origins(Pipeline([node]), DataCatalog({name: dataset})).of(node)


NAMED_AS_TEXT = {
    "labels of samples": lambda file: ("params:ingest", MemoryDataset(IngestOptions(labels=[str(file)]))),
    "labels beside an array": lambda file: (
        "source",
        SourceDataset(kind="array", path=str(file.with_name("values.npy")), layout="NF", labels=file.name),
    ),
    "weights to start from": lambda file: (
        "params:training",
        MemoryDataset(TrainOptions(epochs=1, initial_encoder=str(file.parent))),
    ),
}


@pytest.mark.parametrize("named", NAMED_AS_TEXT.values(), ids=NAMED_AS_TEXT)
def test_a_file_that_is_named_by_text_is_looked_at_too(named, tmp_path):
    (file := tmp_path / "weights.safetensors").write_text("some")
    before = given(*named(file))
    assert given(*named(file)) == before
    file.write_text("others")
    assert given(*named(file)) != before


def test_the_end_of_a_long_option_counts_and_a_long_one_is_not_kept_whole():
    columns = [f"measurement {number:04d}" for number in range(2000)]
    one, other = (given("source", SourceDataset(kind="table", path="a.csv", columns=[*columns, last])) for last in "ab")
    assert one != other
    assert max(map(len, one.values())) < 2000


def test_options_whose_names_differ_in_a_sign_are_told_apart():
    assert len(given("params:a", MemoryDataset({"x%": 1, "x$": 2}))) == 2


def test_a_model_of_another_name_is_registered_though_another_is():
    one, other = (given("model_registry", ModelRegistryDataset(filepath="mlflow.db", name=name)) for name in "ab")
    assert one != other
