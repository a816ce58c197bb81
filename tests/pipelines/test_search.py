"""What is similar: real runs on digits."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.latents.file import read_latents
from ae_pipelines.samples.store import Samples

SMALL = {"name": "dense", "loader": {"batch_size": 64}, "training": {"epochs": 20, "threads": 1}}


@pytest.fixture
def searched(ran, run):
    ran("ingest", "fit", "embed", recipe=SMALL)
    return lambda **options: run("search", recipe=SMALL, search=options)


def test_neighbours_of_test_samples_are_mostly_of_their_class(searched, mlflow_runs):
    data = searched()
    found = pd.read_parquet(data / "07_model_output/neighbours.parquet")
    assert len(found) == 6 * 9
    metrics = json.loads((data / "08_reporting/search_metrics.json").read_text())
    assert 0.85 < metrics["same_class"] <= 1
    assert 0.85 < metrics["pca_same_class"] <= 1
    assert mlflow_runs()[-1].data.metrics["search/same_class"] == metrics["same_class"]
    assert (data / "08_reporting/similar.png").stat().st_size > 20_000


def test_a_stored_sample_given_as_an_image_file_finds_itself(searched, tmp_path):
    samples = Samples(tmp_path / "data/02_intermediate/samples")
    Image.fromarray(samples.take(np.array([123]))[0, 0]).save(tmp_path / "new.png")
    data = searched(image=str(tmp_path / "new.png"), ids=["digits/0007"], k=4)
    found = pd.read_parquet(data / "07_model_output/neighbours.parquet")
    assert found["query"].tolist() == [str(tmp_path / "new.png")] * 4 + ["digits/0007"] * 4
    ids = read_latents(data / "07_model_output/latents.parquet").table["sample_id"]
    assert found["sample_id"][0] == ids[123]
    assert found["distance"][0] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": ["digits/9999"]}, "no sample is called digits/9999; there are 1797, such as digits/0000"),
        ({"k": 1797}, "give search.k below 1797"),
        ({"image": "/nowhere.png"}, "cannot read the image /nowhere.png"),
    ],
)
def test_what_cannot_be_looked_for_is_refused_before_training(run, options, message):
    with pytest.raises(InputError, match=message):
        run("ingest", "fit", "embed", "search", recipe=SMALL, search=options)
