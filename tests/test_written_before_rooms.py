"""What was written before the modules moved into rooms is read, taken up and scored by the code of today.

`fixtures/written_before_rooms.tar.xz` was made by the commit before the move, from 360 of scikit-learn's digits: a
sample store, a latents file, a finished training and the checkpoint of the same one stopped after two of six epochs,
the models that were registered as one version, and what that code scored with them.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_pipelines.latents.file import read_latents
from ae_pipelines.latents.provenance import refuse_other_samples
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.raw import scored_raw
from ae_pipelines.training.checkpoints import CheckpointFile
from ae_pipelines.training.loop import train
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

# Another CPU rounds otherwise: on the one that wrote the files, all of this is equal to the bit.
ROUNDING = {"rtol": 1e-4, "atol": 1e-5}


@pytest.fixture(scope="module")
def before(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(Path(__file__).parent / "fixtures" / "written_before_rooms.tar.xz") as archive:
        archive.extractall(folder)
    return folder


def test_a_store_and_latents_from_before_are_read(before):
    samples, latents = Samples(before / "samples"), read_latents(before / "latents.parquet")
    samples.verify()
    refuse_other_samples(latents, samples)
    assert latents.table["sample_id"].tolist() == samples.index["sample_id"].tolist()
    assert list(samples.rejects.columns) == ["sample_id", "sha256", "reason"]
    encoder = TrainedModel.load(before / "scoring_model" / "autoencoder")
    assert latents.encoder == encoder.contract.sha256
    np.testing.assert_allclose(encoder.encode(samples.read()), latents.vectors, **ROUNDING)


def test_a_training_from_before_is_taken_up(before, monkeypatch):
    finished = TrainedModel.load(before / "finished")
    monkeypatch.setattr(torch, "__version__", finished.contract.versions["torch"])  # another torch takes other steps
    recipe = Recipe.model_validate_json((before / "recipe.json").read_text())
    checkpoint = CheckpointFile(before / "training.checkpoint")
    earlier = checkpoint.load()[1]["position"]["history"]
    trained, history = train(Samples(before / "samples"), recipe, checkpoint)
    assert len(earlier) == 2
    assert history[:2] == earlier
    assert len(history) == 6
    for name, expected in finished.module.state_dict().items():
        np.testing.assert_allclose(trained.module.state_dict()[name], expected, err_msg=name, **ROUNDING)


def test_a_version_from_before_scores_as_it_did(before):
    models = ScoringModel(before / "scoring_model")
    expected = json.loads((before / "scores.json").read_text())
    found = scored_raw(models, np.array(expected["values"], np.uint8))
    assert [record.keys() for record in found] == [record.keys() for record in expected["scores"]]
    for record, before_it in zip(found, expected["scores"], strict=True):
        for name, value in before_it.items():
            if isinstance(value, float | list):
                np.testing.assert_allclose(record[name], value, err_msg=name, **ROUNDING)
            else:
                assert record[name] == value, name
