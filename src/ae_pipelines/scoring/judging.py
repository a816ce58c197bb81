"""Two versions of the models on the same test samples, of which neither has learned."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import classification, clustering, contingency, detection, silhouettes
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.models.inputs import inputs
from ae_pipelines.samples.scales import Scale, stored_there
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.model import ScoringModel
from ae_pipelines.scoring.promotion import Compared, PromoteOptions
from ae_pipelines.training import embedding
from ae_pipelines.training.devices import in_parallel
from ae_pipelines.training.trained import TrainedModel

MOST_ROWS = 50_000
"""Of more test samples than these, so many are drawn at random."""


def compared(new: ScoringModel, champion: ScoringModel, samples: Samples | None, options: PromoteOptions) -> Compared:
    """Their metrics on the same rows: as they were recorded if both were trained on the same samples, and so measured
    on the same test split; else measured anew on the test samples at hand that neither has learned from.

    `InputError` with the reason where that cannot be: there are no such samples, or the champion does not take them.
    """
    if new.contract.samples_id == champion.contract.samples_id:
        return Compared(new.contract.metrics, champion.contract.metrics, "both on the same test samples")
    if samples is None or samples.id != new.contract.samples_id:
        raise InputError("the samples of the new version are not at hand")
    scale = Scale.between(samples.spec, champion.contract.samples)
    rows, labels = _unknown_to(champion, samples)
    classes, stages = {*new.contract.classes, *champion.contract.classes}, {*options.stages}
    judged = _Rows(samples, rows, labels, classes, stages)
    how = f"both measured anew on {len(rows)} test samples that neither has learned from"
    return Compared(judged.metrics(new, None), judged.metrics(champion, scale), how, anew=True)


def _unknown_to(champion: ScoringModel, samples: Samples) -> tuple[np.ndarray, pd.Series]:
    """Positions and labels of test samples that were not in the champion's train split either."""
    samples.split_size("test")  # refuses none
    start, rows, labels = 0, [np.empty(0, np.int64)], []
    for batch in samples.index_batches("split", "sha256", "label"):
        test = np.flatnonzero(np.array(batch.column("split").to_pylist()) == "test")
        new = test[~champion.may_have_learned(batch.column("sha256").take(test).to_pylist())]
        rows.append(start + new)
        labels += batch.column("label").take(new).to_pylist()
        start += len(batch)
    found = np.concatenate(rows)
    if not len(found):
        raise InputError("it has learned from every test sample that there is now")
    drawn = np.arange(len(found))
    if len(found) > MOST_ROWS:
        drawn = np.sort(np.random.default_rng(0).choice(len(found), MOST_ROWS, replace=False))
    return found[drawn], pd.Series(labels, dtype="str").iloc[drawn].reset_index(drop=True)


@dataclass(frozen=True)
class _Rows:
    """Test samples on which versions are measured."""

    samples: Samples
    rows: np.ndarray
    labels: pd.Series
    classes: set[str]
    """Those that one of the versions knows; to name another class than one of these is wrong."""
    stages: set[str]
    """Of those whose metrics are asked for, the stages that measure them."""

    def metrics(self, models: ScoringModel, scale: Scale | None) -> dict[str, float]:
        """By `<stage>/<name>`; errors of reconstruction are in the units of these samples."""
        autoencoder = models.autoencoder.where_trained()
        found = self._errors(autoencoder, scale) if "embed" in self.stages else {}
        of_latents = {"classify": self._of_classifier, "cluster": _of_groups, "detect": _of_detector}
        if asked_for := self.stages & {*of_latents}:
            latents = self._latents(autoencoder, scale)
            for stage in asked_for:
                found |= {f"{stage}/{name}": value for name, value in of_latents[stage](models, latents).items()}
        return found

    def _of_classifier(self, models: ScoringModel, latents: LatentsInMemory) -> dict[str, float]:
        judged = self.labels.isin(self.classes).to_numpy()
        if models.classifier is None or not judged.any():
            return {}
        right = classification.predict(models.classifier, latents)["predicted"].to_numpy() == self.labels.to_numpy()
        return {"accuracy": float(right[judged].mean())}

    def _blocks(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.rows), embedding.ROWS_PER_PASS):
            yield self.samples.take(self.rows[start : start + embedding.ROWS_PER_PASS])

    def _latents(self, autoencoder: TrainedModel, scale: Scale | None) -> LatentsInMemory:
        """With the errors in the autoencoder's own units, as detectors take them."""
        here, contract = self.samples.spec, autoencoder.contract
        stored = (stored_there(values, here, scale) for values in self._blocks())
        blocks = list(in_parallel(partial(embedding.latent_block, autoencoder), stored, autoencoder.device))
        table = pd.DataFrame({"sample_id": self.rows.astype(str), "split": "test", "label": self.labels, "seen": False})
        for name in blocks[0].errors:
            table[name] = np.concatenate([block.errors[name] for block in blocks])
        metadata = {
            "encoder_sha256": contract.sha256,
            "normal_labels": json.dumps(contract.learned_from.normal_labels),
        }
        return LatentsInMemory(table, np.concatenate([block.vectors for block in blocks]), metadata)

    def _errors(self, autoencoder: TrainedModel, scale: Scale | None) -> dict[str, float]:
        """Mean errors of reconstruction; none without a decoder."""
        if not hasattr(autoencoder.module, "decode"):
            return {}
        measure = partial(squares, autoencoder, self.samples.spec, scale)
        parts = list(in_parallel(measure, self._blocks(), autoencoder.device))
        names = [f"embed/{name}" for name in ("reconstruction_error", "blurred_error")]
        means = [float(np.concatenate(part).mean(dtype=np.float64)) for part in zip(*parts, strict=True)]
        return dict(zip(names, means, strict=False))


@torch.inference_mode()
def squares(
    autoencoder: TrainedModel, here: SampleSpec, scale: Scale | None, values: np.ndarray
) -> tuple[np.ndarray, ...]:
    """`reconstruction_error` and, of images, `blurred_error` of samples as they are stored `here`, each (batch,)."""
    device = autoencoder.device
    x = inputs(stored_there(values, here, scale), autoencoder.contract.samples, device)
    decoded = autoencoder.module.decode(autoencoder.module.encode(autoencoder.encoder_input(x)))
    target = inputs(values, here, device)
    if scale is not None:
        decoded = torch.from_numpy(scale.back().apply(decoded.cpu().numpy())).to(device)
    residual = decoded - target
    of_images = [embedding.blurred_error(residual, target)] if target.ndim == 4 else []
    return tuple(errors.cpu().numpy() for errors in (embedding.mean_square(residual), *of_images))


def _of_groups(models: ScoringModel, latents: LatentsInMemory) -> dict[str, float]:
    clusters = clustering.assign(models.groups, latents)["cluster"].to_numpy()
    rows = silhouettes.sampled_rows(clusters)
    found = {"silhouette": silhouettes.silhouette(latents.at(rows), clusters[rows])}
    if latents.labelled.any():
        agreement = contingency.agreement(contingency.counted(latents.labels, clusters))
        found |= {name: agreement[name] for name in ("accuracy", "nmi", "ari")}
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _of_detector(models: ScoringModel, latents: LatentsInMemory) -> dict[str, float]:
    anomalies = detection.find_anomalies(models.detector, latents)
    found = detection.detection_metrics(latents, models.detector, anomalies)
    return {name: found[name] for name in ("auroc", "average_precision") if name in found}
