"""A trained autoencoder and the models on its latents as ONNX files, each compared with the model it was made from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnxscript
import pandas as pd
import torch
from torch import Tensor, nn

import ae_pipelines
from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.classification import Classifier
from ae_pipelines.downstream.clustering import Groups
from ae_pipelines.downstream.detection import AnomalyModel
from ae_pipelines.downstream.on_latents import learned_sha256
from ae_pipelines.latents.file import Latents
from ae_pipelines.models.inputs import inputs
from ae_pipelines.samples.standardise import stored_of
from ae_pipelines.samples.store import Samples
from ae_pipelines.samples.tables import features
from ae_pipelines.samples.tables.treatments import is_mixed
from ae_pipelines.scoring.onnx.files import OPSET, answers, note, onnx_of, values
from ae_pipelines.scoring.onnx.halves import DecoderModule, EncoderModule
from ae_pipelines.scoring.onnx.onnx_contract import OnnxContract, OnnxFile, OnnxPart, Parity
from ae_pipelines.scoring.onnx.parity import TOLERANCE, Again, Answers, OnLatents, largest, parity
from ae_pipelines.scoring.onnx.parts import NoModuleError
from ae_pipelines.scoring.onnx.preprocessing import output_of, raw_of
from ae_pipelines.scoring.onnx.saved import OnnxExport, sha256
from ae_pipelines.scoring.onnx.scorer import ScorerModule
from ae_pipelines.training.embedding import latent_block
from ae_pipelines.training.trained import TrainedModel

log = logging.getLogger(__name__)

COMPARED_ROWS = 512
EXAMPLE_ROWS = 3
"""Rows in the batch that the exporter traces through a module."""

_Models = tuple[Groups, Classifier | None, AnomalyModel]


@dataclass(frozen=True)
class Made:
    """A file that answers as the trained models do."""

    content: bytes
    file: OnnxFile


@dataclass(frozen=True)
class Trial:
    """Real samples, and what a trained autoencoder makes of them."""

    trained: TrainedModel
    raw: np.ndarray
    """(rows, *shape), before any preprocessing that is done inside the files."""

    @classmethod
    def of(cls, trained: TrainedModel, samples: Samples) -> "Trial":
        """A trial on samples of a store, those of the test split first."""
        splits = [batch.column(0).to_numpy(zero_copy_only=False) for batch in samples.index_batches("split")]
        rows = np.argsort(np.concatenate(splits) != "test", kind="stable")[:COMPARED_ROWS]
        return cls(trained.to("cpu"), raw_of(samples.take(np.sort(rows)), trained.contract.samples))

    @property
    def stored(self) -> np.ndarray:
        """The samples as a store holds them."""
        return stored_of(self.raw, self.trained.contract.samples)

    @cached_property
    def z(self) -> Tensor:
        """Latents, or feature maps."""
        x = inputs(self.stored, self.trained.contract.samples)
        with torch.inference_mode():
            return self.trained.module.encode(self.trained.encoder_input(x))

    @cached_property
    def latents(self) -> Latents:
        """The latents as the stage embed would write them."""
        ids = pd.Series(range(len(self.raw))).astype(str)
        return latent_block(self.trained, self.stored).latents(ids, self.trained.contract.sha256)


def export_models(
    trained: TrainedModel, groups: Groups, classifier: Classifier | None, anomaly_model: AnomalyModel, samples: Samples
) -> OnnxExport:
    """Encoder, decoder and scorer, compared on samples of the store; without a classifier the scorer gives no class.

    What a method or a part cannot give is left out, and the contract says why. Raises `InputError` if there is no
    encoder, if models and samples do not belong together, or if a file would answer differently from its model.
    """
    if not hasattr(trained.module, "encode"):
        kind = trained.contract.model["kind"]
        raise InputError(f"{kind} has no encoder to export: train a method with one, such as vae")
    trained.contract.samples.refuse_other(samples.spec, trained.contract.part)
    models, trial = (groups, classifier, anomaly_model), Trial.of(trained, samples)
    made, left_out = _files(trial, models)
    contents = {part: one.content for part, one in made.items()}
    contract = _contract(trial, models, {part: one.file for part, one in made.items()}, left_out)
    if not is_mixed(samples.spec.preprocessing):
        return OnnxExport(contents, contract)
    program = Path(features.__file__).read_bytes()
    return OnnxExport(contents, contract.model_copy(update={"features_sha256": sha256(program)}), program)


def _files(trial: Trial, models: _Models) -> tuple[dict[OnnxPart, Made], dict[OnnxPart, str]]:
    """The files that can be made, and why the others cannot."""
    made: dict[OnnxPart, Made] = {"encoder": encoder(trial)}
    left_out: dict[OnnxPart, str] = {}
    if hasattr(trial.trained.module, "decode"):
        made["decoder"] = decoder(trial)
    else:
        left_out["decoder"] = f"{trial.trained.contract.model['kind']} has no decoder"
    try:
        made["scorer"] = scorer(trial, OnLatents(trial.latents, *models), ScorerModule(trial.trained, *models))
    except NoModuleError as error:
        log.warning("scorer.onnx is left out: %s", error)
        left_out["scorer"] = str(error)
    return made, left_out


def _contract(
    trial: Trial, models: _Models, files: dict[OnnxPart, OnnxFile], left_out: dict[OnnxPart, str]
) -> OnnxContract:
    contract, (groups, classifier, anomaly_model) = trial.trained.contract, models
    return OnnxContract(
        files=files,
        left_out=left_out,
        samples=contract.samples,
        latent_shape=contract.latent_shape,
        classes=() if classifier is None else tuple(map(str, classifier.classes)),
        groups=len(groups.centres),
        anomaly_threshold=anomaly_model.threshold,
        kinds={
            "cluster": groups.kind,
            **({} if classifier is None else {"classifier": classifier.kind}),
            "detector": anomaly_model.kind,
        },
        compared_rows=len(trial.raw),
        tolerance=TOLERANCE,
        opset=OPSET,
        versions=_versions(),
        models=learned_sha256(*(model for model in models if model is not None)),
        encoder_sha256=contract.sha256,
        preprocessing_sha256=contract.preprocessing_sha256,
        recipe=contract.recipe,
        run_id=contract.run_id,
    )


def encoder(trial: Trial) -> Made:
    """Raw samples → `latent` and, where it is made of a feature map, `latent_map`."""
    module = EncoderModule(trial.trained)
    expected = {"latent": trial.trained.module.vectors(trial.z).numpy(), "latent_map": trial.z.numpy()}
    return _made("encoder", module, {"raw": trial.raw}, {name: expected[name] for name in module.gives}, trial)


def decoder(trial: Trial) -> Made:
    """`latent`, or `latent_map`, and the `label` that a conditional method may be given → `sample`."""
    module, contract = DecoderModule(trial.trained), trial.trained.contract
    numbers = np.arange(len(trial.z)) % (len(contract.task.classes) + 1) - 1  # each class, and none
    names = [None if number < 0 else contract.task.classes[number] for number in numbers]
    labels = names if trial.trained.module.conditional else None
    decoded = torch.from_numpy(trial.trained.decode(trial.z.numpy(), labels))
    given = dict(zip(module.takes, (trial.z.numpy(), numbers), strict=False))
    return _made("decoder", module, given, {"sample": output_of(contract.samples)(decoded).numpy()}, trial)


def scorer(trial: Trial, on_latents: OnLatents, module: ScorerModule) -> Made:
    """Raw samples → the outputs that `GIVES` names."""
    errors = {name: trial.latents.column(name).to_numpy() for name in module.gives if name == "reconstruction_error"}
    expected = {"latent": trial.latents.vectors, **errors, **on_latents.answers}
    in_order = {name: expected[name] for name in module.gives}
    return _made("scorer", module, {"raw": trial.raw}, in_order, trial, on_latents.again, on_latents.about())


def _made(
    name: OnnxPart,
    module: nn.Module,
    given: Mapping[str, np.ndarray],
    expected: Answers,
    trial: Trial,
    again: Again | None = None,
    about: Mapping[str, object] | None = None,
) -> Made:
    """`module` as a file, whose answers are compared with the model's."""
    model = onnx_of(module, _example(list(given.values())), list(given), list(expected), name)
    note(model, encoder_sha256=trial.trained.contract.sha256, recipe=trial.trained.contract.recipe, **(about or {}))
    onnx.checker.check_model(model)
    content = model.SerializeToString(deterministic=True)
    compared = parity(name, answers(content, given), expected, again)
    log.info(
        "%s.onnx (%s kB) against its model, %d samples: %s",
        name,
        len(content) // 1000,
        len(trial.raw),
        _in_words(compared),
    )
    takes, gives = values(model.graph.input), values(model.graph.output)
    return Made(
        content, OnnxFile(file=f"{name}.onnx", takes=takes, gives=gives, parity=compared, sha256=sha256(content))
    )


def _example(arrays: Sequence[np.ndarray]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(array.take(range(EXAMPLE_ROWS), axis=0, mode="wrap")) for array in arrays)


def _in_words(compared: Mapping[str, Parity]) -> str:
    """The comparison in words, for the log."""
    parts = [f"largest relative difference {largest(compared):.1e}"]
    parts += [f"{name} equal {one.equal_share:.2%}" for name, one in compared.items() if one.equal_share is not None]
    ties = max(one.near_ties for one in compared.values())
    return ", ".join(parts + ([f"{ties} near ties"] if ties else []))


def export_metrics(contract: OnnxContract) -> dict[str, float]:
    """How many `files`; the largest `<file>_difference` of the encoder and decoder; for each of the scorer's outputs
    `scorer_<output>_difference`, or `scorer_<output>_equal`, a share, and how many `near_ties` there were."""
    metrics = {"files": float(len(contract.files))}
    metrics |= {f"{part}_difference": largest(file.parity) for part, file in contract.files.items() if part != "scorer"}
    if "scorer" not in contract.files:
        return metrics
    compared = contract.files["scorer"].parity
    for name, one in compared.items():
        if one.difference is not None:
            metrics[f"scorer_{name}_difference"] = one.difference
        if one.equal_share is not None:
            metrics[f"scorer_{name}_equal"] = one.equal_share
    return metrics | {"near_ties": float(max(one.near_ties for one in compared.values()))}


def _versions() -> dict[str, str]:
    return {
        "ae_pipelines": ae_pipelines.__version__,
        "torch": torch.__version__,
        "onnx": onnx.__version__,
        "onnxscript": onnxscript.__version__,
    }
