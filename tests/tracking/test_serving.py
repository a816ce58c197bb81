"""What an endpoint answers, in this process and from the real server, held against the batch pipeline."""

import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import stores
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from making import PATIENCE, PROJECT
from mlflow.pyfunc import scoring_server
from PIL import Image
from sklearn.datasets import load_wine

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import classification, clustering, detection
from ae_pipelines.downstream.on_latents import learned_sha256
from ae_pipelines.latents.file import read_latents
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.sources.table import Table
from ae_pipelines.samples.standardise import Standardisation
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring import model, raw
from ae_pipelines.scoring.batch import NewRows
from ae_pipelines.scoring.promotion import PromoteOptions
from ae_pipelines.scoring.scores import ScoredBatch, Scores
from ae_pipelines.scoring.version import Fetched, RegisteredModel, Version
from ae_pipelines.tracking import serving
from ae_pipelines.tracking.runs import open_run
from ae_pipelines.tracking.serving import Refusal, Served
from ae_pipelines.tracking.versions.registry import ModelRegistry
from ae_pipelines.training import embedding
from ae_pipelines.training.loop import train

NUMBERS = ("distance", "probability", "reconstruction_error", "anomaly_score")
SAME = ("cluster", "predicted", "anomaly")
WINE = load_wine(as_frame=True)
COLUMNS = list(WINE.data.columns)


@dataclass(frozen=True)
class Place:
    """Models that were assembled in a folder, the samples that taught them, and how a batch of these was scored."""

    models: Path
    samples: Samples
    scores: ScoredBatch

    @property
    def served(self) -> Served:
        return Served(self.models)

    @property
    def content(self) -> str:
        return model.ScoringModel(self.models).contract.content


def place(folder: Path, samples: Samples, recipe: Any, clusterer: str = "kmeans") -> Place:
    trained = train(samples, recipe)[0]
    write_latents(folder / "latents.parquet", embedding.latent_stream(trained, samples))
    found = read_latents(folder / "latents.parquet")
    groups = clustering.fit_groups(found, clustering.ClusterOptions(kind=clusterer))
    classifier = classification.fit_classifier(found, classification.ClassifyOptions())
    detector = detection.fit_detector(found, detection.DetectOptions(alarms_per_thousand=50))
    (folder / "onnx").mkdir()
    of_latents = learned_sha256(groups, classifier, detector)
    promised = SimpleNamespace(encoder_sha256=trained.contract.sha256, models=of_latents)
    onnx: Any = SimpleNamespace(folder=folder / "onnx", contract=promised)  # nobody looks at these files here
    model.assembly((trained, groups, classifier, detector), found, samples, {}, onnx).into(folder / "models")
    return Place(folder / "models", samples, batch_scores(folder, samples))


def batch_scores(folder: Path, samples: Samples) -> ScoredBatch:
    models = model.ScoringModel(folder / "models")
    Fetched(models, Version("tiny", 1, models.contract.content)).into(folder / "registered")
    NewRows(RegisteredModel(folder / "registered"), samples, Scores(folder / "scores")).into(folder / "scores")
    (path,) = (folder / "scores").glob("*/*.parquet")
    return ScoredBatch(path)


@pytest.fixture(scope="module")
def on_images(digits, recipe, tmp_path_factory):
    return place(tmp_path_factory.mktemp("images"), digits, recipe)


@pytest.fixture(scope="module")
def on_table(recipe, tmp_path_factory):
    """Chemistry of wines, columns of very different scales; some rows are noise to the clusterer."""
    folder = tmp_path_factory.mktemp("table")
    WINE.data.assign(kind=WINE.target_names[WINE.target]).to_csv(folder / "wine.csv", index=False)
    samples = write_store(folder / "store", Table(path=folder / "wine.csv", label="kind"))
    return place(folder, samples, recipe, clusterer="hdbscan")


def expect_equal(found: list[dict[str, Any]], batch: ScoredBatch, rows: slice = slice(None)) -> None:
    """Fail unless the answers are what the batch says of these rows."""
    table, answers = batch.table().iloc[rows], pd.DataFrame(found)
    vectors = np.stack(batch.read("latent").column(0).to_pylist())[rows]
    np.testing.assert_allclose(np.stack(answers["latent"]), vectors, atol=1e-4)
    for name in NUMBERS:
        np.testing.assert_allclose(answers[name].to_numpy(float), table[name], atol=1e-4)
    for name in SAME:
        assert answers[name].tolist() == table[name].tolist(), name


def png(pixels: np.ndarray) -> str:
    Image.fromarray(pixels).save(file := io.BytesIO(), "PNG")
    return base64.b64encode(file.getvalue()).decode()


def answered(place: Place, data: Any) -> list[dict[str, Any]]:
    """Through JSON, as a client sees it."""
    return json.loads(json.dumps(place.served.predict(data), allow_nan=False))


# -- what is answered ------------------------------------------------------------------------------------


def test_raw_images_are_answered_as_the_batch_scores_them(on_images):
    values = on_images.samples.read()
    expect_equal(answered(on_images, values.tolist()), on_images.scores)
    expect_equal(answered(on_images, values[7:8].astype(float)), on_images.scores, slice(7, 8))


def test_image_files_in_base64_are_answered_as_their_pixels(on_images):
    values = on_images.samples.read()[:20]
    expect_equal(answered(on_images, np.array([png(image[0]) for image in values])), on_images.scores, slice(20))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(WINE.data.to_numpy().tolist(), id="lists"),
        pytest.param(WINE.data[COLUMNS[::-1]], id="a data frame in another order"),
        pytest.param({name: WINE.data[name].to_numpy() for name in COLUMNS}, id="columns"),
        pytest.param(
            [{name: np.array(value) for name, value in row.items()} for row in WINE.data.to_dict("records")],
            id="records, as MLflow hands them on",
        ),
    ],
)
def test_rows_of_a_table_are_answered_as_the_batch_scores_them(on_table, given):
    expect_equal(answered(on_table, given), on_table.scores)


def test_noise_has_no_distance(on_table):
    found = answered(on_table, WINE.data)
    noise = [record["distance"] for record in found if record["cluster"] == -1]
    assert noise
    assert set(noise) == {None}
    assert all(record["distance"] >= 0 for record in found if record["cluster"] >= 0)


def test_whole_columns_and_truth_values_are_numbers(on_table):
    frame = WINE.data.assign(hue=1, magnesium=100)
    expected = answered(on_table, frame.to_numpy())
    assert answered(on_table, frame.astype({"magnesium": "int64"}).assign(hue=True)) == expected


def test_values_that_lie_close_together_far_from_zero_keep_their_differences(on_table):
    spec = on_table.samples.spec.model_copy(
        update={"preprocessing": {"mean": [1e9] * 13, "standard_deviation": [1.0] * 13}}
    )
    np.testing.assert_array_equal(raw.stored([[1e9 + 0.5] * 13], spec), np.full((1, 13), 0.5, np.float32))


def test_a_row_near_the_mean_is_not_taken_for_scaled(on_table):
    known = Standardisation.recorded(on_table.samples.spec.preprocessing)
    assert answered(on_table, [known.mean + known.standard_deviation / 100])


def test_many_rows_are_answered_in_order(on_table):
    several = np.tile(WINE.data.to_numpy(), (7, 1))
    assert len(several) > 2 * embedding.ROWS_PER_PASS
    found = answered(on_table, several)
    expect_equal(found[: len(WINE.data)], on_table.scores)
    expect_equal(found[-len(WINE.data) :], on_table.scores)


@pytest.fixture
def two_threads() -> Iterator[None]:
    """What torch would take for each thread that computes."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_requests_at_once_are_answered_as_one_by_one_each_with_one_thread(on_images, two_threads):
    served, values = on_images.served, on_images.samples.read()
    with ThreadPoolExecutor(4) as clients:
        found = [answer[0] for answer in clients.map(lambda image: served.predict(image[None]), values[:200])]
    expect_equal(found, on_images.scores, slice(200))
    assert {served._pool.submit(torch.get_num_threads).result() for _ in range(8)} == {1}


# -- what is refused -------------------------------------------------------------------------------------

DIGIT = np.full((1, 1, 8, 8), 200)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (DIGIT[:, 0], r"given samples of shape \(8, 8\), expected uint8 of shape \(1, 8, 8\)"),
        (DIGIT / 255, "given fractions"),
        (DIGIT + 100, "whole numbers from 0 to 255, given 300 to 300"),
        (-DIGIT, "given -200 to -200"),
        (DIGIT * np.nan, "NaN or Inf in 1 of 1 samples: 0"),
        (
            (DIGIT > 0).astype(int),
            "the values of 1 of 1 samples reach 1, .* they seem to be scaled",
        ),
        ([DIGIT[0].tolist(), DIGIT[0, 0].tolist()], "the samples differ in shape"),
        ([], "given no samples"),
        ([[]], r"given samples of shape \(0,\)"),
        (5, "given 5, expected a list of samples"),
        (None, "given None, expected a list of samples"),
        ("seven", "given 'seven', expected a list of samples"),
        ([[[["a"] * 8] * 8]], "given 'a', expected numbers"),
        ([[[[None] * 8] * 8]], "given None, expected numbers"),
        ({"a": [1.0]}, r"given samples of shape \(1,\)"),
        (np.array(["no base64!"]), "sample 0 is not base64 text"),
        (np.array([png(DIGIT[0, 0].astype(np.uint8)), "aGFsbG8="]), "image 1 cannot be used: not a PNG"),
        (np.array([png(np.zeros((9, 8), np.uint8))]), "another size than 8 x 8"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason_alone(on_images, given, reason):
    with pytest.raises(Refusal, match=f"^.{{0,60}}{reason}") as refused:
        on_images.served.predict(given)
    assert refused.value.get_http_status_code() == 400
    refused.value.message = f"Failed to predict data '{given}'. {refused.value.message}"  # as the server does
    assert json.loads(refused.value.serialize_as_json())["message"] == str(refused.value)


WINES = WINE.data.head(3)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (WINES.to_numpy()[:, :5], r"given samples of shape \(5,\), expected float32 of shape \(13,\)"),
        (WINES.drop(columns="hue"), r"\(missing: 'hue'\): give 'alcohol', "),
        (WINES.assign(vintage=1999), r"\(not known: 'vintage'\)"),
        (pd.concat([WINES, WINES[["hue"]]], axis=1), r"\(given twice: 'hue'\)"),
        (WINES.assign(hue=[1.0, None, 1.0]), "sample 1 has no number in column 'hue'"),
        (WINES.assign(hue=None), "sample 0 has no number in column 'hue'"),
        (WINES.assign(hue=["1.0", "dark", "1.1"]), "column 'hue' holds '1.0', expected numbers"),
        (WINES.to_numpy() * [[1.0], [np.inf], [1.0]], "NaN or Inf in 1 of 3 samples: 1"),
        (WINES.assign(hue=np.inf), "NaN or Inf in 3 of 3 samples: 0, 1, 2"),
        (WINES.to_numpy() * 1e60, "too large for float32 in 3 of 3"),
        (WINES.to_numpy() * 1e6, "they seem to be scaled"),
        (WINES.head(0), "given no samples"),
        (np.array(["aGFsbG8="]), "given 'aGFsbG8=', expected numbers: float32"),
        ([{"hue": 1.0}, {"hue": 1.0, "alcohol": 2.0}], "missing: 'malic_acid'"),
        ({name: [1.0] * (1 + (name == "hue")) for name in COLUMNS}, "not a table .*all of one length"),
    ],
)
def test_what_is_no_row_of_the_table_is_refused_with_the_reason(on_table, given, reason):
    with pytest.raises(Refusal, match=reason):
        on_table.served.predict(given)


def test_an_altered_file_is_not_served(on_images, tmp_path):
    shutil.copytree(on_images.models, tmp_path / "models")
    file = tmp_path / "models" / "classifier.skops"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"was altered: classifier\.skops"):
        serving._load_pyfunc(str(tmp_path / "models"))


# -- what MLflow shows of a version --------------------------------------------------------------------------


@pytest.fixture
def version(tmp_path, empty_store, monkeypatch):
    """Registers a place's models; gives where MLflow has them."""
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(tmp_path))

    def version(place: Place) -> str:
        run = open_run(tmp_path, "register", time.time(), {"pipeline": "register"})
        registry = ModelRegistry(tmp_path, "shown")
        registered = registry.register(model.ScoringModel(place.models), PromoteOptions(), run, place.samples)
        assert registry.fetch(1, "").version.content == registered["content"] == place.content
        return "models:/shown/1"

    return version


def test_a_version_of_images_shows_their_tensor_and_one_of_them_and_takes_what_it_took(on_images, version):
    loaded = mlflow.pyfunc.load_model(version(on_images))
    (taken,) = loaded.metadata.signature.inputs.inputs
    assert (taken.type, taken.shape) == (np.uint8, (-1, 1, 8, 8))
    values = on_images.samples.read()
    shown = loaded.input_example
    np.testing.assert_array_equal(shown, values[:1])
    assert set(loaded.metadata.signature.outputs.input_names()) >= {*loaded.predict(shown)[0]}
    for given in (values[:3].tolist(), values[:3].astype(float), np.array([png(image[0]) for image in values[:3]])):
        expect_equal(loaded.predict(given), on_images.scores, slice(3))
    status, answer = asked(loaded, {"instances": (DIGIT / 255).tolist()})
    assert (status, "given fractions" in answer) == (400, True)


def test_a_version_of_a_table_shows_its_columns_and_a_row_and_takes_what_it_took(on_table, version):
    loaded = mlflow.pyfunc.load_model(version(on_table))
    assert loaded.metadata.signature.inputs.input_names() == COLUMNS
    expect_equal(loaded.predict(loaded.input_example), on_table.scores, slice(1))
    pd.testing.assert_frame_equal(loaded.input_example, WINE.data.head(1), rtol=1e-5)
    three = WINE.data.head(3)
    for given in (three.to_numpy().tolist(), three[COLUMNS[::-1]], three.to_dict("records")):
        expect_equal(loaded.predict(given), on_table.scores, slice(3))
    status, answer = asked(loaded, three.assign(vintage=1999).to_csv(index=False), "text/csv")
    assert (status, "not known: 'vintage'" in answer) == (400, True)


def asked(loaded: Any, body: Any, kind: str = "application/json") -> tuple[int, str]:
    """What MLflow's server answers, without a server."""
    text = body if isinstance(body, str) else json.dumps(body)
    try:
        answer = scoring_server.invocations(text, kind, loaded, loaded.metadata.get_input_schema())
    except Refusal as refused:
        return refused.get_http_status_code(), str(refused)
    return answer.status, answer.response


# -- the real thing --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, operations_once: None) -> Iterator[Path]:
    """A folder in which `train` and `score` ran, with MLflow's store."""
    folder = tmp_path_factory.mktemp("registered")
    stores.copy(empty_store, folder)
    small = {"name": "dense", "training": {"epochs": 2, "threads": 1}}
    given = {"data_dir": str(folder / "data"), "recipe": small}
    bootstrap_project(PROJECT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", stores.address(folder))
        for pipeline in ("train", "score"):
            with KedroSession.create(project_path=PROJECT, runtime_params=given) as session:
                session.run(pipeline_names=[pipeline])
        yield folder


@pytest.fixture(scope="module")
def server(registered: Path) -> Iterator[str]:
    """The address of what answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = registered / "server.log"
    given = [
        "-m",
        "models:/digits@champion",
        "--env-manager",
        "local",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "models", "serve", *given],
        cwd=registered,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        stdout=log.open("w"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/ping", process, log)
        yield f"http://127.0.0.1:{port}/invocations"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)


def wait_for(address: str, process: subprocess.Popen, log: Path, seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5)
            return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"the server did not start:\n{log.read_text()}")


def post(address: str, body: Any, kind: str = "application/json") -> tuple[int, Any]:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    request = urllib.request.Request(address, content, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, json.loads(answer.read(), parse_constant=pytest.fail)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


@pytest.mark.slow
def test_the_server_answers_200_requests_4_at_a_time_as_the_batch_pipeline_scores(registered, server):
    samples = Samples(registered / "data/02_intermediate/new_samples")
    (path,) = (registered / "data/07_model_output/scores").glob("*/*.parquet")
    images = samples.read()[:200].tolist()
    with ThreadPoolExecutor(4) as clients:
        answers = list(clients.map(lambda image: post(server, {"instances": [image]}), images))
    assert {status for status, _ in answers} == {200}
    found = [body["predictions"][0] for _, body in answers]
    expect_equal(found, ScoredBatch(path), slice(200))
    for body in ({"inputs": images[:50]}, {"instances": [png(np.array(image[0], np.uint8)) for image in images[:50]]}):
        status, several = post(server, body)
        assert status == 200
        expect_equal(several["predictions"], ScoredBatch(path), slice(50))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"instances": DIGIT[:, :, :4].tolist()},
            "given samples of shape (1, 4, 8), expected uint8",
        ),
        ({"inputs": (DIGIT / 255).tolist()}, "given fractions"),
        ({"inputs": [[[["a"] * 8] * 8]]}, "given 'a', expected numbers"),
        ({"inputs": (DIGIT + 100).tolist()}, "given 300 to 300"),
        ({"inputs": (DIGIT * np.nan).tolist()}, "NaN or Inf in 1 of 1"),
        ({"inputs": [DIGIT[0].tolist(), [[1]]]}, "inhomogeneous shape"),
        ({"instances": []}, "given no samples"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1]]}}, "given samples of shape (1,)"),
        ({"samples": [1]}, "must be a JSON dictionary with exactly one of the input fields"),
        ('{"instances": [', "is not valid JSON"),
    ],
)
def test_the_server_refuses_with_status_400_and_the_reason(server, body, reason):
    status, answer = post(server, body)
    assert status == 400
    assert reason in answer["message"]


@pytest.mark.slow
def test_a_version_that_was_served_can_still_be_fetched(registered, server, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", stores.address(registered))
    assert ModelRegistry(registered, "digits").fetch(None, "champion").version.number == 1


@pytest.mark.slow
def test_nothing_of_a_registered_version_is_pickled(registered):
    (folder,) = (registered / "mlartifacts").glob("*/artifacts/scoring_model/*")
    files = [path for path in folder.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert kinds == {"", ".txt", ".yaml", ".json", ".skops", ".safetensors", ".parquet", ".onnx", ".seal"}
    # MLflow leaves the second where it opens a version itself.
    assert {path.name for path in files if path.suffix == ""} <= {"MLmodel", "registered_model_meta", ".seal"}
    assert not [path for path in files if path.read_bytes()[:1] == b"\x80"], "a pickle starts so"
    about = (folder / "MLmodel").read_text()
    assert "loader_module: ae_pipelines.tracking.serving" in about
    assert "python_model" not in about
