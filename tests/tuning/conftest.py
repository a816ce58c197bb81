"""A study of a small recipe, and trials that cost nothing."""

import math
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from making import ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning import pruning, trial
from ae_pipelines.tuning.objectives import OBJECTIVES, Objective
from ae_pipelines.tuning.options import TuneOptions
from ae_pipelines.tuning.space import Space

EPOCHS = 6


class Mse(Objective):
    """Of the rows that judge; lower is better."""

    name, title, misleads = "small_mse", "the mean squared error", "It never does."
    higher_is_better = False
    decodes = True

    def measures(self, judged):
        return {self.name: judged.latents.mean("reconstruction_error", "test")}


class Exactness(Objective):
    """The same, the other way round: higher is better."""

    name, title, misleads = "exactness", "one by the mean squared error", "It never does."
    higher_is_better = True
    decodes = True

    def measures(self, judged):
        [mse] = Mse().measures(judged).values()
        return {self.name: 1 / mse}


@pytest.fixture
def objectives(monkeypatch):
    """The two above, by their names."""
    OBJECTIVES.kinds()
    for one in (Mse, Exactness):
        monkeypatch.setitem(OBJECTIVES._makers, one.name, one)


@pytest.fixture(scope="session")
def few(tmp_path_factory):
    """Samples in which there is something to learn: combinations of three vectors."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(120, 3)) @ draw.normal(size=(3, 10)) + 0.1 * draw.normal(size=(120, 10))
    return write_store(tmp_path_factory.mktemp("few"), ArraySource(values.astype(np.float32)))


@pytest.fixture(scope="session")
def tiny():
    return Recipe.model_validate(
        {
            "name": "tiny",
            "model": {"kind": "autoencoder", "latent_size": 20, "net": {"kind": "dense", "widths": [8]}},
            "loader": {"batch_size": 32, "corruptions": [{"kind": "gaussian_noise", "noise_level": 0.2}]},
            "training": {"epochs": EPOCHS, "threads": 1, "validation_share": 0.2, "checkpoint_seconds": 0.0},
        }
    )


@pytest.fixture(scope="session")
def space():
    """Without the latent size that `tiny` has."""
    widths = {"choices": {"narrow": [8], "wide": [16, 8]}}
    fields = {
        "model.latent_size": {"low": 1, "high": 8},
        "model.net.widths": widths,
        "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True},
        "loader.corruptions": {"choices": {"none": [], "noise": [{"kind": "gaussian_noise"}]}},
        "training.weight_decay": {"low": 0.01, "high": 0.1, "when": {"loader.corruptions": "noise"}},
    }
    return Space.model_validate({"name": "small", "fields": fields})


@pytest.fixture
def options(space, objectives):
    """Makes options of a study, in which trials are complete, pruned and failed."""

    def options(**more):
        return TuneOptions.model_validate({"space": space, "objective": ["small_mse"], "trials": 10, "seed": 1, **more})

    return options


@pytest.fixture
def costless(monkeypatch):
    """Trials that train nothing: their losses are made up of their values. Nets of two layers cannot be trained; what
    `hears` has is called with the number and the epoch of each report."""
    hears = []

    def measures(common, asked, watch, folder):
        watch.begin(SimpleNamespace(phases=lambda: [SimpleNamespace(judged=True)]))
        values = asked.values
        if values["model.net.widths"] == [16, 8] and values["training.learning_rate"] > 0.01:
            raise InputError("too wide for such a rate")
        mse = values["model.latent_size"] ** -0.5 + abs(math.log10(values["training.learning_rate"]) + 2)
        for epoch in range(EPOCHS):
            for hear in hears:
                hear(asked.number, epoch)
            watch.report({"fit/loss": mse * (1 + 1 / (epoch + 1)), "fit/train/fit/loss": 0.0}, epoch + 1)
        return {"exactness": 1 / mse, "small_mse": mse}

    monkeypatch.setattr(trial, "_measures", measures)
    monkeypatch.setattr(trial, "_quietly", nullcontext)  # which is for one thread
    monkeypatch.setattr(pruning, "STARTUP", 2)
    return hears
