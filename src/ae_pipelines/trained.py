"""A trained model, or one half of it, with the contract it was trained under.

On disk: `weights.safetensors`, which carries the contract in its header and so is whole by itself, and
`contract.json`, the same text for people and other tools.
"""

import hashlib
import json
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

import ae_pipelines
from ae_pipelines import atomic, progress
from ae_pipelines.checkpoints import copies
from ae_pipelines.contract import Contract, Task
from ae_pipelines.corruptions import Corruption, CorruptionChoice, one_after_another
from ae_pipelines.errors import InputError, first_of
from ae_pipelines.models import ModelChoice
from ae_pipelines.models.method import Method, pooled
from ae_pipelines.recipe import Recipe
from ae_pipelines.samples import Samples

Part = Literal["autoencoder", "encoder", "decoder"]

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class TrainedModel:
    """A module in evaluation mode and what it promises."""

    module: Method
    contract: Contract

    @classmethod
    def of(cls, module: Method, recipe: Recipe, task: Task, samples: Samples) -> Self:
        """`module` as trained by `recipe` for `task` on `samples`."""
        module.eval()
        contract = Contract(
            part="autoencoder",
            model=recipe.model.described(),
            task=task if module.wants_labels else task.model_copy(update={"classes": ()}),
            corruptions=[choice.described() for choice in recipe.loader.corruptions],
            latent_shape=_latent_shape(module, task),
            preprocessing_sha256=samples.spec.preprocessing_sha256,
            samples_id=samples.id,
            learned_from=recipe.learned_from(samples),
            recipe=recipe.name,
            run_id=progress.run_id(),
            versions={
                "ae_pipelines": ae_pipelines.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        )
        return cls(module, _sealed(contract, module.state_dict()))

    @property
    def content(self) -> str:
        """sha256 of weights and contract without the run that made them: equal for equal trainings."""
        return _sealed(self.contract.model_copy(update={"run_id": None}), self.module.state_dict()).sha256

    def part(self, part: Literal["encoder", "decoder"]) -> "TrainedModel":
        """The encoder or the decoder by itself, sharing its weights with this model; of a method without this half,
        a part that refuses by name."""
        module = _without_other_half(_build(self.contract), part)
        module.load_state_dict({name: t for name, t in self.module.state_dict().items() if name.startswith(part)})
        contract = self.contract.model_copy(update={"part": part})
        return TrainedModel(module.eval(), _sealed(contract, module.state_dict()))

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Latents (batch, latent_size), float32, of samples (batch, *shape) as they are stored (uint8 images).

        Raises `InputError` for samples that break the contract, saying what differs.
        """
        self._need("encode")
        with torch.inference_mode():
            return np.concatenate([pooled(self.module.encode(x)).numpy() for x in self._inputs(samples)])

    def decode(self, latents: np.ndarray, labels: Sequence[str | None] | None = None) -> np.ndarray:
        """Samples (batch, *shape), float32 (images in [0, 1]), of latents (batch, *latent_shape).

        A conditional method may be told a label for each, None where it is unknown.
        """
        self._need("decode")
        if latents.shape[1:] != self.contract.latent_shape:
            expected = ", ".join(map(str, self.contract.latent_shape))
            raise InputError(
                f"the {self.contract.part} takes latents of shape (batch, {expected}), given {latents.shape}"
            )
        z = torch.from_numpy(latents.astype(np.float32))
        with torch.inference_mode():
            if labels is None:
                return self.module.decode(z).numpy()
            return self.module.decode(z, self._numbers(labels, len(z))).numpy()

    def reconstruct(self, samples: np.ndarray) -> np.ndarray:
        """What the model makes of samples (batch, *shape), float32 (images in [0, 1])."""
        for ability in ("encode", "decode"):
            self._need(ability)
        with torch.inference_mode():
            made = [self.module.decode(self.module.encode(x)).numpy() for x in self._inputs(samples)]
        return np.concatenate(made)

    def seen(self, x: Tensor) -> Tensor:
        """Inputs of the encoder for clean samples x (batch, *shape): only corruptions that change the shape, such as
        downscale, are done."""
        for corruption in self.reshaping:
            x = corruption(x, torch.Generator())
        return x

    def corrupted(self, samples: np.ndarray, seed: int = 0) -> np.ndarray:
        """Samples (batch, *shape) as the encoder was given them in training, float32."""
        x = torch.from_numpy(samples).to(torch.float32) * self.contract.samples.scale
        corrupt = one_after_another(self._corruptions)
        return x.numpy() if corrupt is None else corrupt(x, torch.Generator().manual_seed(seed)).numpy()

    @cached_property
    def _corruptions(self) -> list[Corruption]:
        return [CorruptionChoice(**choice).build() for choice in self.contract.corruptions]

    @cached_property
    def reshaping(self) -> list[Corruption]:
        """Those of its corruptions that change the shape, in order."""
        found: list[Corruption] = []
        spec = self.contract.samples
        if spec.shape == self.contract.task.input_shape:
            return found  # a corruption may need a file, which encoding should not
        for corruption in self._corruptions:
            before, spec = spec, corruption.corrupted_spec(spec)
            found += [corruption] if spec.shape != before.shape else []
        return found

    def _inputs(self, samples: np.ndarray, size: int = 4096) -> Iterator[Tensor]:
        self.contract.samples.refuse_misfit(samples, self.contract.part)
        for start in range(0, len(samples), size):
            clean = torch.from_numpy(samples[start : start + size]).to(torch.float32) * self.contract.samples.scale
            yield self.seen(clean)

    def _numbers(self, labels: Sequence[str | None], count: int) -> Tensor:
        kind, classes = self.contract.model["kind"], self.contract.task.classes
        if not self.module.conditional:
            raise InputError(f"this {kind} was trained without labels, so it cannot be told any: leave them out")
        unknown = sorted({label for label in labels if label is not None and label not in classes})
        if unknown or len(labels) != count:
            raise InputError(
                f"given {len(labels)} labels for {count} latents"
                + (f", of which the {kind} does not know {first_of(unknown)}" if unknown else "")
                + f"; give one of {first_of(classes)}, or None, for each"
            )
        return torch.tensor([-1 if label is None else classes.index(label) for label in labels])

    def _need(self, ability: str) -> None:
        half = {"encode": "encoder", "decode": "decoder"}[ability]
        if not hasattr(self.module, ability):
            kind = self.contract.model["kind"]
            raise InputError(f"{kind} has no {half}: choose a method with one, such as autoencoder")
        if self.contract.part not in ("autoencoder", half):
            raise InputError(f"this is the {self.contract.part} alone: load the autoencoder to {ability}")

    # -- on disk -----------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write weights and contract; the old ones stand until the new weights are whole."""
        text = self.contract.model_dump_json(indent=2)
        weights = copies(self.module.state_dict())
        with atomic.replacing(folder / WEIGHTS) as temporary:
            temporary.write_bytes(serialise(weights, metadata={"contract": text}))
        atomic.write_text(folder / "contract.json", text)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote, verified; needs nothing but the folder."""
        tensors, text = _read(folder / WEIGHTS)
        try:
            contract = Contract(**json.loads(text))
        except ValueError as error:
            raise InputError(f"{folder / WEIGHTS} is damaged (its contract cannot be read: {error})") from error
        if _sealed(contract, tensors) != contract:
            raise InputError(f"{folder / WEIGHTS} is damaged (its sha256 differs): restore it or train again")
        module = _build(contract)
        if contract.part != "autoencoder":
            module = _without_other_half(module, contract.part)
        module.load_state_dict(tensors)
        return cls(module.eval(), contract)


def start_from(model: Method, folder: Path) -> None:
    """Give `model`'s encoder the weights of the encoder that was saved in `folder`; `InputError` unless it has the
    same layers."""
    earlier = TrainedModel.load(folder)
    weights = {name: t for name, t in earlier.module.state_dict().items() if name.startswith("encoder.")}
    own = {name: t for name, t in model.state_dict().items() if name.startswith("encoder.")}
    if {name: t.shape for name, t in weights.items()} != {name: t.shape for name, t in own.items()}:
        raise InputError(
            f"training.start_from: the encoder in {folder} (recipe {earlier.contract.recipe}, "
            f"{len(weights)} tensors, {sum(t.numel() for t in weights.values()):,} values) does not have the layers of "
            f"this recipe's ({len(own)} tensors, {sum(t.numel() for t in own.values()):,} values): give both the same "
            "model.net and latent_size"
        )
    model.load_state_dict(weights, strict=False)


def _build(contract: Contract) -> Method:
    with torch.random.fork_rng():
        return ModelChoice(**contract.model).build(contract.task)


def _latent_shape(module: Method, task: Task) -> tuple[int, ...]:
    if not hasattr(module, "encode"):
        return (module.latent_size,)
    with torch.inference_mode():
        return tuple(module.encode(torch.zeros(1, *task.input_shape)).shape[1:])


def _without_other_half(module: Method, part: Literal["encoder", "decoder"]) -> Method:
    for name, _ in list(module.named_children()):
        if name != part:
            delattr(module, name)
    return module


def _read(path: Path) -> tuple[dict[str, Tensor], str]:
    if not path.exists():
        raise InputError(f"no trained model in {path.parent}: run `kedro run --pipelines=train` first")
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, Any] = file.metadata() or {}
            return {name: file.get_tensor(name) for name in file.keys()}, metadata["contract"]  # noqa: SIM118
    except (SafetensorError, KeyError) as error:
        raise InputError(f"{path} is damaged or not ours: {error}") from error


def _sealed(contract: Contract, tensors: dict[str, Tensor]) -> Contract:
    """`contract` with the sha256 of everything else in it and of the tensors."""
    digest = hashlib.sha256(contract.model_dump_json(exclude={"sha256"}).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return contract.model_copy(update={"sha256": digest.hexdigest()})
