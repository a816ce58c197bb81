"""An encoder and the models on its latents as one thing, since they only make sense together."""

import hashlib
import json
import platform
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import ae_pipelines
from ae_pipelines.base import atomic, regular_files, seals
from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.downstream import classification, clustering, detection, saved
from ae_pipelines.downstream.classification import Classifier
from ae_pipelines.downstream.clustering import Groups
from ae_pipelines.downstream.detection import AnomalyModel
from ae_pipelines.downstream.distribution import Distribution
from ae_pipelines.downstream.on_latents import learned_sha256
from ae_pipelines.latents import provenance
from ae_pipelines.latents.file import Latents
from ae_pipelines.latents.stream import LatentBlock
from ae_pipelines.samples.splits import splits_by_content
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring import signing
from ae_pipelines.scoring.onnx.saved import OnnxModels
from ae_pipelines.scoring.scoring_contract import ScoringContract, value_range
from ae_pipelines.training.trained import TrainedModel

CONTRACT = "contract.json"
AUTOENCODER, GROUPS, CLASSIFIER, DETECTOR = "autoencoder", "groups.skops", "classifier.skops", "detector.skops"
REFERENCE, ONNX = "reference.parquet", "onnx"
TRAIN_ROWS = "train_rows.npy"
"""Which content they may have learned from, where that does not follow from the content itself: uint64, sorted."""
SIGNATURE = "signature"
"""Of the contract, which names the sha256 of all other files; there is one where a key asks for it."""


@dataclass(frozen=True)
class Assembly:
    """Models that were trained on each other's output, to be saved together."""

    autoencoder: TrainedModel
    groups: Groups
    classifier: Classifier | None
    """None where there were too few labels for one."""
    detector: AnomalyModel
    reference: Distribution
    """Latents of the training, which new ones are compared with."""
    samples: Samples
    """The samples that they were trained on."""
    metrics: Mapping[str, float]
    onnx: OnnxModels
    """The same models as ONNX files."""
    run: Run = NO_RUN

    def into(self, folder: Path) -> None:
        """Write all of it; `InputError` unless the models belong together."""
        self._refuse_strangers()
        with seals.replacing_folder(folder) as new:
            self.autoencoder.save(new / AUTOENCODER)
            saved.write(new / GROUPS, self.groups)
            if self.classifier is not None:
                saved.write(new / CLASSIFIER, self.classifier)
            saved.write(new / DETECTOR, self.detector)
            pq.write_table(self.reference.table(), new / REFERENCE, compression="zstd", write_page_checksum=True)
            shutil.copytree(self.onnx.folder, new / ONNX)
            if not follows_content(self.samples):
                np.save(new / TRAIN_ROWS, np.sort(train_digests(self.samples)))
            contract = self._contract(files_of(new)).sealed()
            atomic.write_text(new / CONTRACT, contract.model_dump_json(indent=2))
            if (signature := signing.signature(contract.sha256)) is not None:
                atomic.write_text(new / SIGNATURE, signature)

    def _refuse_strangers(self) -> None:
        encoder = self.autoencoder.contract.sha256
        for name, model in (("cluster", self.groups), ("classify", self.classifier), ("detect", self.detector)):
            if model is not None and model.encoded_by.encoder != encoder:
                raise InputError(
                    f"the model of {name} was fitted on latents of encoder {model.encoded_by.encoder[:12]}, but the "
                    f"encoder at hand is {encoder[:12]}: run embed and {name} again"
                )
        of_latents = learned_sha256(*self._on_latents)
        if (self.onnx.contract.encoder_sha256, self.onnx.contract.models) != (encoder, of_latents):
            raise InputError("the ONNX files were made from other models than those at hand: run export again")
        if self.autoencoder.contract.samples_id != self.samples.id:
            raise InputError(
                f"the encoder was trained on the samples {self.autoencoder.contract.samples_id}, but "
                f"{self.samples.folder} holds {self.samples.id}: run fit, and what follows it, again"
            )

    @property
    def _on_latents(self) -> list[Groups | Classifier | AnomalyModel]:
        """The models on the latents that there are."""
        return [model for model in (self.groups, self.classifier, self.detector) if model is not None]

    def _contract(self, files: dict[str, str]) -> ScoringContract:
        import sklearn
        import torch

        trained, classifier = self.autoencoder.contract, self.classifier
        return ScoringContract(
            samples=trained.samples,
            value_range=value_range(self.samples),
            samples_id=self.samples.id,
            splits="source" if TRAIN_ROWS in files else "content",
            latent_size=trained.latent_size,
            classes=() if classifier is None else tuple(str(name) for name in classifier.classes),
            clusters=len(self.groups.centres),
            kinds={
                "method": trained.model["kind"],
                "clusterer": self.groups.kind,
                **({} if classifier is None else {"classifier": classifier.kind}),
                "detector": self.detector.kind,
            },
            metrics=dict(self.metrics),
            recipe=trained.recipe,
            content=learned_sha256(self.autoencoder.content, *self._on_latents),
            run_id=self.run.id,
            versions={
                "ae_pipelines": ae_pipelines.__version__,
                "torch": torch.__version__,
                "scikit-learn": sklearn.__version__,
                "python": platform.python_version(),
            },
            files=files,
        )


class ScoringModel:
    """What `Assembly.into` wrote, verified; its models are opened on first use.

    `InputError` if a file is missing, altered, or not one of them, or if they are not signed by the key that is asked
    for (`signing`).
    """

    def __init__(self, folder: Path, called: str | None = None) -> None:
        self.folder = folder
        self.contract = read_contract(folder / CONTRACT)
        found = files_of(folder)
        for name in (CONTRACT, SIGNATURE):
            found.pop(name, None)
        if found != self.contract.files:
            names = sorted({*found.items()} ^ {*self.contract.files.items()})
            altered = first_of(sorted({name for name, _ in names}))
            raise InputError(
                f"{folder} is damaged or was altered: {altered}. Nothing of it is opened; register the models again, "
                "or choose another version"
            )
        signing.refuse_unsigned(self.contract.sha256, _signature_in(folder), called or str(folder))

    def into(self, folder: Path) -> None:
        """Copy all of it."""
        with seals.replacing_folder(folder) as new:
            shutil.copytree(self.folder, new, dirs_exist_ok=True)

    def open(self) -> None:
        """Open all models now."""
        _ = self.autoencoder, self.groups, self.classifier, self.detector

    @cached_property
    def autoencoder(self) -> TrainedModel:
        return TrainedModel.load(self.folder / AUTOENCODER)

    @cached_property
    def groups(self) -> Groups:
        return saved.read(self.folder / GROUPS)

    @cached_property
    def classifier(self) -> Classifier | None:
        """None where there were too few labels for one."""
        return saved.read(self.folder / CLASSIFIER) if CLASSIFIER in self.contract.files else None

    @cached_property
    def detector(self) -> AnomalyModel:
        return saved.read(self.folder / DETECTOR)

    @cached_property
    def reference(self) -> Distribution:
        return Distribution.of_table(pq.read_table(self.folder / REFERENCE))

    def may_have_learned(self, contents: Sequence[str]) -> np.ndarray:
        """A bool for each content, by its sha256: whether it was in the train split of these models; `InputError` if
        nothing says so."""
        if self.contract.splits is None:
            raise InputError("it was registered before versions kept what they had learned from")
        if self.contract.splits == "content":
            return np.array(splits_by_content(contents)) == "train"
        return np.isin(digests(contents), self._train_rows)

    @cached_property
    def _train_rows(self) -> np.ndarray:
        return np.load(self.folder / TRAIN_ROWS, allow_pickle=False)

    def scored(self, block: LatentBlock, ids: pd.Series) -> pd.DataFrame:
        """A row a latent: `sample_id`, `cluster`, `distance`, `predicted` and `probability` (where there is a
        classifier), `reconstruction_error` (where the method has a decoder), `anomaly_score`, `anomaly`."""
        latents = block.latents(ids, self.autoencoder.contract.sha256)
        table = clustering.assign(self.groups, latents)
        anomalies = detection.find_anomalies(self.detector, latents)
        if self.classifier is not None:
            classes = classification.predict(self.classifier, latents)
            table = table.assign(predicted=classes["predicted"], probability=classes["probability"])
        if block.reconstruction_error is not None:
            table["reconstruction_error"] = block.reconstruction_error
        return table.assign(anomaly_score=anomalies["score"], anomaly=anomalies["anomaly"])


def assembly(
    models: tuple[TrainedModel, Groups, Classifier | None, AnomalyModel],
    latents: Latents,
    samples: Samples,
    metrics: Mapping[str, float],
    onnx: OnnxModels,
    run: Run = NO_RUN,
) -> Assembly:
    """Models with what new rows will be compared with; `InputError` unless the latents are of these samples."""
    provenance.refuse_other_samples(latents, samples)
    groups = clustering.assign(models[1], latents)
    return Assembly(*models, Distribution.of_training(latents, groups), samples, metrics, onnx, run)


def follows_content(samples: Samples) -> bool:
    """Whether every sample is in the split that follows from its content, in whatever store it is."""
    batches = samples.index_batches("sha256", "split")
    return all(batch.column(1).to_pylist() == splits_by_content(batch.column(0).to_pylist()) for batch in batches)


def train_digests(samples: Samples) -> np.ndarray:
    """`digests` of the content of each sample of the train split."""
    parts = [np.empty(0, np.uint64)]
    for batch in samples.index_batches("sha256", "split"):
        pairs = zip(*map(pa.Array.to_pylist, batch), strict=True)
        parts.append(digests([sha for sha, split in pairs if split == "train"]))
    return np.concatenate(parts)


def digests(contents: Sequence[str]) -> np.ndarray:
    """The first 64 bits of each sha256, uint64: enough to tell contents apart."""
    return np.array([int(sha[:16], 16) for sha in contents], np.uint64)


def files_of(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder but seals, by its path."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != seals.IN_FOLDER)
    return {path.relative_to(folder).as_posix(): _sha256(path) for path in paths}


def _sha256(path: Path) -> str:
    with regular_files.opened(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _signature_in(folder: Path) -> str | None:
    if not (path := folder / SIGNATURE).is_file():
        return None
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(signing.LENGTH + 1)


def read_contract(path: Path) -> ScoringContract:
    """The contract in a file; `InputError` if it is not there, damaged or altered."""
    if not path.exists():
        raise InputError(f"no registered models in {path.parent}: run train first", stages=("train",))
    try:
        content: Any = json.loads(regular_files.content(path))
        contract = ScoringContract.model_validate(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}): register the models again") from error
    if contract.sealed() != contract:
        raise InputError(f"{path} is damaged or was altered (its sha256 differs): register the models again")
    return contract
