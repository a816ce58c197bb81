"""Models as one version, made in seconds, and copies of them in which something was changed."""

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ae_pipelines.downstream import classification, clustering, detection
from ae_pipelines.downstream.on_latents import learned_sha256
from ae_pipelines.latents.file import read_latents
from ae_pipelines.latents.stream import write_latents
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.model import CONTRACT, ScoringModel, assembly, files_of
from ae_pipelines.scoring.promotion import PromoteOptions
from ae_pipelines.scoring.scoring_contract import ScoringContract
from ae_pipelines.tracking.runs import open_run
from ae_pipelines.tracking.versions.registry import ModelRegistry
from ae_pipelines.training import embedding
from ae_pipelines.training.loop import train


def assembled(folder: Path, samples: Samples, recipe: Any, metrics: Mapping[str, float] | None = None) -> ScoringModel:
    """Models that were trained on these samples, in `folder/models`; their ONNX file is none."""
    trained = train(samples, recipe)[0]
    folder.mkdir(parents=True, exist_ok=True)
    write_latents(folder / "latents.parquet", embedding.latent_stream(trained, samples))
    found = read_latents(folder / "latents.parquet")
    groups = clustering.fit_groups(found, clustering.ClusterOptions(clusters=5))
    classifier = classification.fit_classifier(found, classification.ClassifyOptions())
    detector = detection.fit_detector(found, detection.DetectOptions(alarms_per_thousand=50))
    (folder / "onnx").mkdir(exist_ok=True)
    (folder / "onnx" / "scorer.onnx").write_bytes(b"nobody opens this one")
    of_latents = learned_sha256(groups, classifier, detector)
    promised = SimpleNamespace(encoder_sha256=trained.contract.sha256, models=of_latents)
    onnx: Any = SimpleNamespace(folder=folder / "onnx", contract=promised)
    assembly((trained, groups, classifier, detector), found, samples, metrics or {}, onnx).into(folder / "models")
    return ScoringModel(folder / "models")


def sealed_again(models: Path, **changes: Any) -> Path:
    """The folder, its contract changed and made to fit the files that are there, as somebody could who has no key."""
    contract = ScoringContract.model_validate(json.loads((models / CONTRACT).read_text()))
    there = {name: sha256 for name, sha256 in files_of(models).items() if name not in (CONTRACT, "signature")}
    changed = contract.model_copy(update={"files": there, **changes}).sealed()
    (models / CONTRACT).write_text(changed.model_dump_json())
    return models


def changed(models: ScoringModel, folder: Path, **changes: Any) -> ScoringModel:
    """A copy whose contract says something else."""
    shutil.copytree(models.folder, folder)
    return ScoringModel(sealed_again(folder, **changes))


def registered(project: Path, models: ScoringModel, name: str = "cells", **options: Any) -> dict[str, Any]:
    """What `register` says of them, in a run of their own."""
    run = open_run(project, "register", time.time(), {"pipeline": "register"})
    found = ModelRegistry(project, name).register(models, PromoteOptions.model_validate(options), run)
    run.end("FINISHED")
    return found
