"""A whole export, used as someone would who has onnxruntime and the folder alone."""

import json
import logging
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
import pytest
import torch
from making import ArraySource
from torch import nn

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import classification, clustering, detection
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.models import map_vectors
from ae_pipelines.models.contract import Task
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.scoring.onnx import clusterers, exporting
from ae_pipelines.scoring.onnx.exporting import Trial
from ae_pipelines.scoring.onnx.parity import OnLatents
from ae_pipelines.scoring.onnx.scorer import ScorerModule
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel


@pytest.fixture(scope="module")
def models(embedded):
    """Groups, classifier and anomaly model, as the stages fit them."""
    return (
        clustering.fit_groups(embedded, clustering.ClusterOptions()),
        classification.fit_classifier(embedded, classification.ClassifyOptions()),
        detection.fit_detector(embedded, detection.DetectOptions(alarms_per_thousand=50)),
    )


@pytest.fixture(scope="module")
def made(trained, models, digits):
    return exporting.export_models(trained, *models, digits)


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    made.into(folder)
    return folder


def session(folder, part):
    return onnxruntime.InferenceSession(folder / f"{part}.onnx", providers=["CPUExecutionProvider"])


def asked(folder, part, *given):
    file = session(folder, part)
    names = [value.name for value in file.get_inputs()]
    found = file.run(None, dict(zip(names, given, strict=True)))
    return dict(zip([value.name for value in file.get_outputs()], found, strict=True))


def test_the_encoder_takes_stored_images_and_gives_what_is_in_the_latents_file(folder, digits, embedded):
    found = asked(folder, "encoder", digits.read())["latent"]
    np.testing.assert_allclose(found, embedded.vectors, atol=1e-4 * np.abs(embedded.vectors).max())


def test_the_decoder_gives_back_the_images(folder, digits, trained, embedded):
    found = asked(folder, "decoder", embedded.vectors)["sample"]
    np.testing.assert_allclose(found, trained.reconstruct(digits.read()), atol=1e-5)


def test_the_scorer_says_what_the_stages_say(folder, digits, models, embedded):
    found = asked(folder, "scorer", digits.read())
    groups, classifier, anomaly_model = models
    clusters = clustering.assign(groups, embedded)
    assert (found["cluster"] == clusters["cluster"]).mean() > 0.999
    np.testing.assert_allclose(found["distance"], clusters["distance"], rtol=1e-3)
    classes = classification.predict(classifier, embedded)
    names = np.array(json.loads(session(folder, "scorer").get_modelmeta().custom_metadata_map["classes"]))
    assert (names[found["class_number"]] == classes["predicted"]).mean() > 0.999
    np.testing.assert_allclose(found["probability"], classes["probability"], atol=1e-3)
    odd = detection.find_anomalies(anomaly_model, embedded)
    np.testing.assert_allclose(found["anomaly_score"], odd["score"], rtol=1e-3)
    assert 10 < found["anomaly"].sum() < 300
    assert (found["anomaly"] == odd["anomaly"]).mean() > 0.999
    np.testing.assert_allclose(found["reconstruction_error"], embedded.table["reconstruction_error"], rtol=1e-3)
    dtypes = [str(found[name].dtype) for name in ("latent", "cluster", "class_number", "probability", "anomaly")]
    assert dtypes == ["float32", "int64", "int64", "float32", "bool"]


def test_without_a_classifier_the_scorer_gives_all_but_a_class(trained, models, digits):
    groups, _, anomaly_model = models
    trial = Trial.of(trained, digits)
    on_latents = OnLatents(trial.latents, groups, None, anomaly_model)
    file = exporting.scorer(trial, on_latents, ScorerModule(trained, groups, None, anomaly_model)).file
    assert [value.name for value in file.gives] == [
        *("latent", "cluster", "distance", "reconstruction_error", "anomaly_score", "anomaly")
    ]
    assert file.parity["cluster"].equal_share == 1
    assert on_latents.about()["classes"] == []


@pytest.mark.parametrize("rows", [1, 7])
def test_each_row_is_answered_by_itself_whatever_the_batch(folder, digits, rows):
    values = digits.read()
    among, alone = asked(folder, "scorer", values[:100]), asked(folder, "scorer", values[5 : 5 + rows])
    for name, found in alone.items():
        np.testing.assert_allclose(found, among[name][5 : 5 + rows], rtol=1e-3, atol=1e-5, err_msg=name)


def test_the_contract_says_what_the_files_take_and_give(folder, made, trained, digits):
    contract = json.loads((folder / "contract.json").read_text())
    for part, file in contract["files"].items():
        assert [value["name"] for value in file["gives"]] == [v.name for v in session(folder, part).get_outputs()]
    assert contract["files"]["scorer"]["takes"] == [{"name": "raw", "dtype": "uint8", "shape": ["batch", 1, 8, 8]}]
    assert contract["files"]["encoder"]["gives"] == [{"name": "latent", "dtype": "float32", "shape": ["batch", 8]}]
    assert contract["encoder_sha256"] == trained.contract.sha256
    assert contract["preprocessing_sha256"] == digits.spec.preprocessing_sha256
    assert (contract["classes"], contract["groups"]) == ([str(digit) for digit in range(10)], 10)
    assert contract["compared_rows"] == 512
    assert contract["versions"]["torch"] == torch.__version__


def test_the_measured_differences_are_those_of_rounding(made):
    metrics = exporting.export_metrics(made.contract)
    assert metrics["files"] == 3
    assert {"encoder_difference", "decoder_difference", "scorer_latent_difference"} <= metrics.keys()
    assert all(value < 1e-5 for name, value in metrics.items() if name.endswith("_difference"))
    assert metrics["scorer_cluster_equal"] == metrics["scorer_class_number_equal"] == 1


def test_samples_of_the_test_split_are_compared_first(trained, digits):
    tests = digits.take(digits.positions("test"))
    assert len(tests) < 512
    rows = {sample.tobytes() for sample in Trial.of(trained, digits).raw}
    assert {sample.tobytes() for sample in tests} <= rows


def test_models_are_asked_again_about_latents_that_differ_by_rounding(models, embedded):
    groups, _, anomaly_model = models
    pairs = np.linalg.norm(groups.centres[:, None] - groups.centres, axis=2) + 1e9 * np.eye(10)
    first, second = np.unravel_index(pairs.argmin(), pairs.shape)
    halfway = (groups.centres[first] + groups.centres[second]) / 2
    vectors = np.stack([halfway, groups.centres[first]]).astype(np.float32)
    threshold = np.float32(anomaly_model.threshold)
    table = embedded.table.iloc[:2].assign(blurred_error=[threshold * np.float32(0.99995), threshold / 2])
    again = list(OnLatents(LatentsInMemory(table, vectors, embedded.metadata), *models).again(np.array([0, 1])))
    assert {answer["cluster"][0] for answer in again} == {first, second}
    assert {answer["cluster"][1] for answer in again} == {first}
    assert [{bool(answer["anomaly"][row]) for answer in again} for row in (0, 1)] == [{False, True}, {False}]


# -- what does not go ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compass:
    """A way to make groups that this room knows nothing of."""

    def predict(self, vectors):
        return (vectors[:, 0] > 0).astype(np.int32)


class SixThroughout(nn.Module):
    def __init__(self, fitted):
        super().__init__()

    def forward(self, z):
        return torch.full_like(z[:, 0], 6).long()


def test_a_part_without_a_module_leaves_out_the_scorer_alone_and_is_named(trained, models, digits, caplog, tmp_path):
    groups, *others = models
    with caplog.at_level(logging.WARNING):
        made = exporting.export_models(trained, replace(groups, assigner=Compass()), *others, digits)
    assert set(made.contents) == {"encoder", "decoder"}
    assert "the clusterer Compass (test_exporting) has no ONNX module" in made.contract.left_out["scorer"]
    assert "scorer.onnx is left out: the clusterer Compass" in caplog.text
    assert exporting.export_metrics(made.contract).keys() == {"files", "encoder_difference", "decoder_difference"}


def test_a_module_that_says_something_else_is_refused_with_the_name_of_the_output(trained, models, digits, monkeypatch):
    monkeypatch.setitem(clusterers.ASSIGNERS, type(models[0].assigner), SixThroughout)
    trial = Trial.of(trained, digits)
    with pytest.raises(InputError, match=r"scorer\.onnx would not be the trained model: its output 'cluster' differs"):
        exporting.scorer(trial, OnLatents(trial.latents, *models), ScorerModule(trained, *models))


def test_models_on_other_latents_are_refused(trained, models, digits):
    groups, *others = models
    encoded_by = replace(groups.encoded_by, encoder="f" * 64)
    with pytest.raises(InputError, match="fitted on 8 latents of encoder ffff"):
        exporting.export_models(trained, replace(groups, encoded_by=encoded_by), *others, digits)


def test_samples_of_another_kind_are_refused(trained, models, tmp_path):
    store = write_store(tmp_path, ArraySource(np.zeros((9, 1, 9, 9), np.uint8)))
    with pytest.raises(InputError, match="not what the autoencoder was trained on: shape"):
        exporting.export_models(trained, *models, store)


def test_a_method_without_an_encoder_is_refused_by_name(models, digits):
    gan = untrained(digits, {"kind": "gan", "latent_size": 8})
    with pytest.raises(InputError, match="gan has no encoder to export"):
        exporting.export_models(gan, *models, digits)


# -- preprocessing is inside -----------------------------------------------------------------------------------


def untrained(samples, model, corruptions=(), input_shape=None):
    recipe = Recipe.model_validate({"name": "fresh", "model": model, "loader": {"corruptions": list(corruptions)}})
    task = Task(samples=samples.spec, input_shape=input_shape or samples.spec.shape)
    torch.manual_seed(0)
    return TrainedModel.of(recipe.model.build(task), recipe, task, samples)


def run(made, *given):
    file = onnxruntime.InferenceSession(made.content, providers=["CPUExecutionProvider"])
    names = [value.name for value in file.get_inputs()]
    return file.run(None, dict(zip(names, given, strict=True)))


MEAN, DEVIATION = [1000.0, -3.0, 0.5], [250.0, 0.01, 1.0]


class Columns(ArraySource):
    def spec(self):
        standardised = {"columns": ["a", "b", "c"], "mean": MEAN, "standard_deviation": DEVIATION}
        return SampleSpec(shape=(3,), dtype="float32", preprocessing=standardised)


def test_a_table_goes_in_as_it_is_in_the_source_and_comes_out_in_its_units(tmp_path):
    raw = (np.random.default_rng(0).normal(size=(60, 3)) * DEVIATION + MEAN).astype(np.float32)
    stored = Standardisation(np.array(MEAN), np.array(DEVIATION)).apply(raw)
    samples = write_store(tmp_path, Columns(stored))
    trained = untrained(samples, {"kind": "autoencoder", "latent_size": 2, "net": {"kind": "dense", "widths": [8]}})
    trial = Trial.of(trained, samples)
    (latent,) = run(exporting.encoder(trial), raw)
    np.testing.assert_allclose(latent, trained.encode(stored), atol=1e-4)
    (sample,) = run(exporting.decoder(trial), latent)
    expected = trained.decode(latent) * DEVIATION + MEAN
    np.testing.assert_allclose(sample, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("corruption", "shape", "seen"),
    [
        ({"kind": "downscale", "factor": 2}, (1, 8, 8), (1, 4, 4)),
        ({"kind": "greyscale"}, (3, 9, 7), (1, 9, 7)),
        ({"kind": "crop", "size": 4}, (1, 8, 8), (1, 4, 4)),
    ],
    ids=["super_resolution", "colourise", "small_views"],
)
def test_an_encoder_of_small_or_grey_images_takes_the_large_and_coloured_ones(
    corruption, shape, seen, tmp_path, monkeypatch
):
    values = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8)
    samples = write_store(tmp_path, ArraySource(values))
    net = {"kind": "conv", "channels": [6], "latent": "map", "upsample": "pixel_shuffle", "norm": "batch"}
    noise = {"kind": "gaussian_noise", "noise_level": 0.9}  # does not change the shape, so it is not done
    model = {"kind": "autoencoder", "latent_size": 4, "net": net}
    trained = untrained(samples, model, [noise, corruption], seen)
    monkeypatch.setattr(map_vectors, "MOST_FEATURES", 24)  # so that one of them is averaged, with an odd edge
    with torch.no_grad():
        trained.module.encoder[-1][-1].learn([trained.module.encode(torch.rand(30, *seen))])
    trial = Trial.of(trained, samples)
    latent, latent_map = run(exporting.encoder(trial), values)
    assert latent.shape[1] == {"downscale": 16, "greyscale": 24, "crop": 16}[corruption["kind"]]
    np.testing.assert_allclose(latent, trained.encode(values), atol=1e-5)
    assert latent_map.shape[1:] == trained.contract.latent_shape
    (sample,) = run(exporting.decoder(trial), latent_map)
    np.testing.assert_allclose(sample, trained.reconstruct(values), atol=1e-5)


def test_a_conditional_decoder_is_told_labels(digits):
    recipe = Recipe.model_validate(
        {"name": "cvae", "model": {"kind": "vae", "latent_size": 4, "conditional": True, "net": {"kind": "dense"}}}
    )
    task = Task.plain(digits.spec, digits.classes())
    trained = TrainedModel.of(recipe.model.build(task), recipe, task, digits)
    z = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    made = exporting.decoder(Trial.of(trained, digits))
    (sample,) = run(made, z, np.array([-1, 0, 3, 9, -1]))
    np.testing.assert_allclose(sample, trained.decode(z, [None, "0", "3", "9", None]), atol=1e-5)
    assert np.abs(sample[1] - trained.decode(z)[1]).max() > 1e-3
