"""Every registered method, net, clusterer, classifier and detector as ONNX: it says the same there, or is refused by
name. Parts of one room are put into one file, since most of an export's time is the same for a small module."""

import itertools
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import make_blobs
from small_architecture import SMALL
from torch import nn

from ae_pipelines.downstream import classification, clustering, detection
from ae_pipelines.downstream.calibration import CalibrationKind
from ae_pipelines.downstream.classification import ClassifyOptions
from ae_pipelines.downstream.classifiers import CLASSIFIERS
from ae_pipelines.downstream.clusterers import CLUSTERERS
from ae_pipelines.downstream.clustering import ClusterOptions
from ae_pipelines.downstream.detection import DetectOptions
from ae_pipelines.downstream.detectors import DETECTORS
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.models import MODELS, ModelChoice
from ae_pipelines.models.contract import Task
from ae_pipelines.models.nets import NETS
from ae_pipelines.models.nets.activations import ACTIVATIONS
from ae_pipelines.models.nets.norms import OF_FEATURES
from ae_pipelines.models.nets.resampling import DOWN, UP
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.scoring.onnx.classifiers import ClassifierModule
from ae_pipelines.scoring.onnx.clusterers import ClustererModule
from ae_pipelines.scoring.onnx.detectors import DetectorModule
from ae_pipelines.scoring.onnx.files import answers, onnx_of
from ae_pipelines.scoring.onnx.parts import NoModuleError

pytestmark = pytest.mark.usefixtures("operations_once")
CALIBRATIONS = get_args(CalibrationKind)


class Together(nn.Module):
    """Modules of the same inputs, one after another: everything that each of them gives."""

    def __init__(self, parts) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, first, second=None, third=None):
        given = [value for value in (first, second, third) if value is not None]
        return tuple(out for part in self.parts for out in part(*given))


def exported(parts, given):
    """What a file with all of these modules gives, as a list for each name; each gives as many outputs."""
    module = Together(parts.values())
    with torch.no_grad():
        count = len(module(*(torch.tensor(array[:3]) for array in given.values()))) // len(parts)
    gives = [f"{number}/{place}" for number in range(len(parts)) for place in range(count)]
    example = tuple(torch.tensor(array[:3]) for array in given.values())
    found = answers(onnx_of(module, example, list(given), gives, "together").SerializeToString(), given)
    columns = iter(found.values())
    return {name: [next(columns) for _ in range(count)] for name in parts}


# -- methods and nets ------------------------------------------------------------------------------------------

SPEC = SampleSpec(shape=(1, 9, 7), dtype="uint8")
TASK = Task.plain(SPEC, classes=("a", "b", "c"))
RAW = np.random.default_rng(0).integers(0, 256, (20, *SPEC.shape), dtype=np.uint8)
OF_TESTS = {"pretrained": SMALL}
ENCODING = [kind for kind in MODELS.kinds() if hasattr(MODELS.maker(kind), "encode")]


DEEP = {"resnet"}
"""Each layer takes its time to export: these nets meet the autoencoder only, below."""
BELOW = {"views"}
"""Methods that are an autoencoder's halves but for their options, which are below."""


def with_every_net(kind):
    """The method with each net; as it is, if it has one of its own."""
    if kind in BELOW:
        return []
    known = MODELS.options(kind).model_fields
    if "parts" in known:
        return [{"kind": kind, "parts": [{"kind": "vae"}, {"kind": "patches", "centroids": 20}]}]
    nets = [net for net in NETS.kinds() if net not in DEEP] if "net" in known else []
    return [{"kind": kind, "net": {"kind": net}} for net in nets] or [{"kind": kind, **OF_TESTS.get(kind, {})}]


METHODS = [
    *(choice for kind in ENCODING for choice in with_every_net(kind)),
    {"kind": "vae", "conditional": True, "net": {"kind": "conv"}},
    {"kind": "autoencoder", "output": "linear", "latent_activation": "tanh"},
    {"kind": "views", "features": 7},
    {"kind": "views", "reconstruction": 1.0},
]
DENSE = [
    *({"activation": activation, "widths": [8]} for activation in ACTIVATIONS),
    *({"norm": norm, "widths": [8], "tied": norm == "batch"} for norm in OF_FEATURES),
]
CONV = [
    *({"upsample": up, "norm": norm, "channels": [4, 6]} for up, norm in zip(UP, itertools.cycle(OF_FEATURES))),
    *({"downsample": down, "latent": "map", "channels": [4]} for down in DOWN),
    {"residual_blocks": 1, "norm": "batch", "channels": [4]},
]
RESNET = [
    {"widths": [4], "head": 6, "blocks": 2, "latent": "map", "norm": "none"},
    {"widths": [4, 6], "head": 6, "stem_stride": 1, "pooling": "none", "norm": "layer"},
]
NET_OPTIONS = {"dense": DENSE, "conv": CONV, "resnet": RESNET}
CHOICES = METHODS + [
    {"kind": "autoencoder", "net": {"kind": net, **options}}
    for net, several in NET_OPTIONS.items()
    for options in several
]


def name(choice):
    parts = {**choice, **choice.get("net", {}), "method": choice["kind"]}
    return " ".join(str(value) for key, value in parts.items() if key not in ("net", "parts"))


class ThereAndBack(nn.Module):
    """Raw samples → latents and, with a decoder, what they are decoded to; else the latents again."""

    def __init__(self, model) -> None:
        super().__init__()
        self.model, self.decodes = model, hasattr(model, "decode")

    def forward(self, raw):
        z = self.model.encode(raw.to(torch.float32) / 255)
        return z, self.model.decode(z) if self.decodes else z


def model_of(choice):
    torch.manual_seed(0)
    size = {} if "parts" in choice else {"latent_size": 5}
    model = ModelChoice(**size, **choice).build(TASK)
    norms = [part for part in model.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1  # what they have seen is what they learn, as after a training
    if norms:
        ThereAndBack(model)(torch.from_numpy(RAW))
    return model.eval()


@pytest.fixture(scope="module")
def there_and_back():
    modules = {name(choice): ThereAndBack(model_of(choice)) for choice in CHOICES}
    assert len(modules) == len(CHOICES)
    return modules, exported(modules, {"raw": RAW})


@pytest.mark.parametrize("choice", CHOICES, ids=name)
def test_every_method_and_net_encodes_and_decodes_the_same(choice, there_and_back):
    modules, found = there_and_back
    with torch.inference_mode():
        expected = modules[name(choice)](torch.from_numpy(RAW))
    for mine, theirs in zip(found[name(choice)], expected, strict=True):
        assert mine.std(axis=0).max() > 1e-6, "the same for all samples would say nothing"
        np.testing.assert_allclose(mine, theirs, atol=1e-5 * np.abs(theirs.numpy()).max())


# -- what stands on the latents --------------------------------------------------------------------------------

POINTS, BLOBS = make_blobs(500, 5, centers=4, cluster_std=3.0, center_box=(-6, 6), random_state=1)
POINTS = (POINTS + 40).astype(np.float32)  # far from zero, where squares round most
KNOWN, NEW = POINTS[:360], POINTS[360:]
NAMES = np.array(["ant", "bee", "cat", "dog"])


def latents(vectors, labels=None):
    draw = np.random.default_rng(0)
    table = pd.DataFrame({"sample_id": np.arange(len(vectors)).astype(str)})
    table["split"] = np.where(np.arange(len(vectors)) % 3, "train", "test")
    table["label"] = None if labels is None else NAMES[labels]
    table["seen"] = (table["split"] == "train") & (np.arange(len(vectors)) % 5 != 0)
    for column in ("reconstruction_error", "blurred_error"):
        table[column] = draw.gamma(2, 0.01, len(vectors)).astype(np.float32)
    return LatentsInMemory(table, vectors, {"encoder_sha256": "mine"})


LEARNED = latents(KNOWN, BLOBS[:360])
ASKED = latents(np.concatenate([NEW, KNOWN]))
"""Unseen rows, and those that the models have learned from."""


def groups_of(kind):
    clusters = {} if CLUSTERERS.maker(kind).finds_number else {"clusters": 4}
    small = {"minimum_size": 20, "neighbours": 4} if kind == "hdbscan" else {}
    return clustering.fit_groups(LEARNED, ClusterOptions.model_validate({"kind": kind, **clusters, **small}))


def classifier_of(choice):
    kind, calibration = choice
    return classification.fit_classifier(LEARNED, ClassifyOptions(kind=kind, calibration=calibration))


def detector_of(kind):
    return detection.fit_detector(LEARNED, DetectOptions(kind=kind, alarms_per_thousand=100))


class OnErrors(nn.Module):
    """A detector that takes its errors one by one."""

    def __init__(self, detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, z, reconstruction_error, blurred_error):
        return self.detector(z, {"reconstruction_error": reconstruction_error, "blurred_error": blurred_error})


KINDS_OF_CLASSIFIERS = [(kind, "temperature") for kind in CLASSIFIERS.kinds()]
KINDS_OF_CLASSIFIERS += [("logistic_regression", calibration) for calibration in CALIBRATIONS[1:]]
KINDS_OF_CLASSIFIERS += [("label_spreading", "none")]  # as it is, since a temperature hides what is not scaled
GIVEN = {"z": ASKED.vectors} | {e: ASKED.column(e).to_numpy() for e in ("reconstruction_error", "blurred_error")}
Z_ALONE = {"z": ASKED.vectors}


def room(choices, fitted, module, given):
    """Of each choice the fitted model, and what its module gives in ONNX, or the sentence that refuses it."""
    models = {choice: fitted(choice) for choice in choices}
    modules, refused = {}, {}
    for choice, model in models.items():
        try:
            modules[choice] = module(model)
        except NoModuleError as error:
            refused[choice] = str(error)
    return models, exported(modules, given), refused


@pytest.fixture(scope="module")
def clusterers():
    return room(CLUSTERERS.kinds(), groups_of, ClustererModule, Z_ALONE)


@pytest.fixture(scope="module")
def classifiers():
    return room(KINDS_OF_CLASSIFIERS, classifier_of, ClassifierModule, Z_ALONE)


@pytest.fixture(scope="module")
def detectors():
    return room(DETECTORS.kinds(), detector_of, lambda model: OnErrors(DetectorModule(model)), GIVEN)


def found_or_refused(choice, of_room, *parts):
    """The fitted model and its answers in ONNX; None for these where one of its parts is refused by name."""
    models, found, refused = of_room
    if choice in refused:
        types = [type(getattr(models[choice], part)) for part in parts]
        named = [f" {kind.__name__} ({kind.__module__}) has no ONNX module" for kind in types]
        assert any(name in refused[choice] for name in named), refused[choice]
        return models[choice], None
    return models[choice], found[choice]


@pytest.mark.parametrize("kind", CLUSTERERS.kinds())
def test_every_clusterer_puts_rows_into_the_same_groups_or_is_refused_by_name(kind, clusterers):
    model, found = found_or_refused(kind, clusterers, "assigner")
    if found is None:
        return
    cluster, distance = found
    expected = clustering.assign(model, ASKED)
    assert len(np.unique(cluster[cluster >= 0])) > 1
    assert (cluster == expected["cluster"]).mean() >= 0.998, "one row in 500 may be a tie"
    same = cluster == expected["cluster"].to_numpy()
    np.testing.assert_allclose(distance[same], expected["distance"][same], rtol=1e-4)
    if kind == "hdbscan":
        assert (cluster < 0).any()


@pytest.mark.parametrize("choice", KINDS_OF_CLASSIFIERS, ids="-".join)
def test_every_classifier_and_every_calibration_gives_the_same_classes_or_is_refused_by_name(choice, classifiers):
    model, found = found_or_refused(choice, classifiers, "places", "fitted", "calibration")
    if found is None:
        return
    number, probability = found
    expected = classification.predict(model, ASKED)
    assert probability.std() > 0.02
    same = model.classes[number] == expected["predicted"]
    assert same.mean() >= 0.998, "one row in 500 may be a tie"
    apart = np.abs(probability[same] - expected["probability"][same])
    assert (apart < 1e-4).mean() >= 0.99
    assert type(model.calibration).__name__.lower() == choice[1].replace("none", "unchanged")


@pytest.mark.parametrize("kind", DETECTORS.kinds())
def test_every_detector_gives_the_same_scores_or_is_refused_by_name(kind, detectors):
    model, found = found_or_refused(kind, detectors, "scorer")
    if found is None:
        return
    score, anomaly = found
    expected = detection.find_anomalies(model, ASKED)
    np.testing.assert_allclose(score, expected["score"], rtol=2e-4)
    assert 10 < anomaly.sum() < 250
    assert (anomaly == expected["anomaly"]).mean() >= 0.998, "one row in 500 may lie on the threshold"
