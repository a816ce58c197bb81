"""Somebody who may write where versions lie, but has no key, swaps their files and renews every hash."""

import itertools
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
import stores
from attacks import LONG
from mlflow import MlflowClient
from versions import assembled, registered, sealed_again

from ae_pipelines.base.errors import InputError
from ae_pipelines.scoring import signing
from ae_pipelines.scoring.model import CONTRACT, SIGNATURE, ScoringModel, files_of
from ae_pipelines.scoring.version import Fetched, RegisteredModel, Version
from ae_pipelines.tracking.serving import Served
from ae_pipelines.tracking.versions.listing import listed
from ae_pipelines.tracking.versions.registered import FILES
from ae_pipelines.tracking.versions.registry import ModelRegistry

SHORT = ("classifier.skops", "autoencoder/weights.safetensors")
"""Files that are swapped in the short form; in the long one it is each."""


@pytest.fixture(scope="module")
def keys(tmp_path_factory) -> list[Path]:
    """Of the owner, and of somebody else."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("owner", "other"):
        signing.new_keys(folder / name)
    return [folder / "owner", folder / "other"]


@pytest.fixture(scope="module")
def two(digits, recipe, keys, tmp_path_factory) -> tuple[Path, Path]:
    """Two versions that the owner has signed."""
    folder = tmp_path_factory.mktemp("two")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(signing.SIGNS, str(keys[0]))
        assembled(folder / "first", digits, recipe)
        training = recipe.training.model_copy(update={"epochs": 2})
        assembled(folder / "second", digits, recipe.model_copy(update={"training": training}))
    return folder / "first/models", folder / "second/models"


@pytest.fixture
def sealed(two, keys, monkeypatch):
    """The environment of a machine that scores: it has the public key alone."""
    monkeypatch.setenv(signing.VERIFIES, f"{keys[0]}.pub")


def opened(folder: Path) -> list[str]:
    """Which ways into the models were not refused in one sentence about their signature."""
    found = []
    ways = {"score": lambda: ScoringModel(folder), "serve": lambda: Served(folder)}
    for name, way in ways.items():
        try:
            way()
        except InputError as error:
            if "sign" in str(error) and "\n" not in str(error):
                continue
        found.append(name)
    return found


def other_bytes(ours: Path, theirs: Path) -> bytes:
    """Those of the other version or, where both are the same, some others."""
    return theirs.read_bytes() if theirs.read_bytes() != ours.read_bytes() else theirs.read_bytes() + b" "


def forged(models: Path, how: str, other: Path, keys: list[Path], patch: pytest.MonkeyPatch) -> None:
    """Renew the signature as well as one can without the key."""
    place = models / SIGNATURE
    if how == "none":
        place.unlink()
    if how == "of the other version":
        shutil.copy(other / SIGNATURE, place)
    if how == "by another key":
        with patch.context() as context:
            context.setenv(signing.SIGNS, str(keys[1]))
            context.delenv(signing.VERIFIES)
            place.write_text(signing.signature(json.loads((models / CONTRACT).read_text())["sha256"]) or "")


def test_a_swapped_file_is_refused_whatever_was_renewed(two, keys, sealed, tmp_path, monkeypatch, record):
    first, second = two
    files = sorted({*files_of(first)} - {CONTRACT, SIGNATURE})
    assert {*SHORT} <= {*files}
    found: Counter[str] = Counter()
    ways = ("kept", "none", "of the other version", "by another key")
    attempts = list(itertools.product(files if LONG else SHORT, ways))
    for place, (file, how) in enumerate(attempts):
        models = tmp_path / f"models{place}"
        shutil.copytree(first, models)
        (models / file).write_bytes(other_bytes(first / file, second / file))
        forged(sealed_again(models), how, second, keys, monkeypatch)
        found.update(opened(models))
        with monkeypatch.context() as context:
            context.delenv(signing.VERIFIES)
            ScoringModel(models)  # what is forged is whole: but for the key it would be opened
    record("a version's file swapped, all hashes renewed, signed", 2 * len(attempts), {"opened": found.total()})
    assert not found
    assert opened(first) == ["score", "serve"]


def test_a_swapped_version_in_the_registry_or_in_a_data_folder_is_refused(
    two, keys, sealed, tmp_path, empty_store, monkeypatch
):
    stores.copy(empty_store, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri := stores.address(tmp_path))
    registered(tmp_path, ScoringModel(two[0]))
    registry, client = ModelRegistry(tmp_path, "cells"), MlflowClient(uri)
    (shown,) = listed(client, "cells", [client.get_model_version("cells", "1")], "champion")
    assert ", signed," in next(shown.lines())
    Fetched(ScoringModel(two[0]), Version("cells", 1, "")).into(tmp_path / "kept")
    version = Path(client.get_model_version("cells", "1").source.removeprefix("file://"))
    for models in (version / "data/models", tmp_path / "kept/models"):
        shutil.copy(two[1] / "classifier.skops", models / "classifier.skops")
        sealed_again(models)
    (tmp_path / "kept/.seal").unlink()
    client.set_model_version_tag("cells", "1", FILES, json.dumps(files_of(version)))
    with pytest.raises(InputError, match="signature of cells version 1 is not by this key"):
        registry.fetch(1, "")
    with pytest.raises(InputError, match="signature of .* is not by this key"):
        _ = RegisteredModel(tmp_path / "kept").models
