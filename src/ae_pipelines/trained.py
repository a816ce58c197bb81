"""A trained model, or one half of it, with the contract it was trained under.

On disk: `weights.safetensors`, which carries the contract in its header and so is whole by itself, and
`contract.json`, the same text for people and other tools.
"""

import hashlib
import json
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor, nn

import ae_pipelines
from ae_pipelines import atomic, progress
from ae_pipelines.contract import Contract
from ae_pipelines.errors import InputError
from ae_pipelines.models import ModelChoice
from ae_pipelines.recipe import Recipe
from ae_pipelines.samples import Samples

Part = Literal["autoencoder", "encoder", "decoder"]

WEIGHTS = "weights.safetensors"


@dataclass(frozen=True)
class TrainedModel:
    """A module in evaluation mode and what it promises."""

    module: nn.Module
    contract: Contract

    @classmethod
    def of(cls, module: nn.Module, part: Part, recipe: Recipe, samples: Samples) -> Self:
        """`module` as trained by `recipe` on `samples`."""
        contract = Contract(
            part=part,
            model=recipe.model.described(),
            samples=samples.spec,
            latent_size=int(module.latent_size),  # type: ignore[arg-type]
            preprocessing_sha256=samples.spec.preprocessing_sha256,
            samples_id=samples.id,
            recipe=recipe.name,
            run_id=progress.run_id(),
            versions={
                "ae_pipelines": ae_pipelines.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        )
        return cls(module.eval(), _sealed(contract, module.state_dict()))

    def part(self, part: Literal["encoder", "decoder"]) -> "TrainedModel":
        """The encoder or the decoder by itself, sharing its weights with this model."""
        module = _without_other_half(_build(self.contract), part)
        module.load_state_dict({name: t for name, t in self.module.state_dict().items() if name.startswith(part)})
        contract = self.contract.model_copy(update={"part": part})
        return TrainedModel(module.eval(), _sealed(contract, module.state_dict()))

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Latents (batch, latent_size), float32, of samples (batch, *shape) as they are stored (uint8 images).

        Raises `InputError` for samples that break the contract, saying what differs.
        """
        self._need("encode")
        self.contract.samples.refuse_misfit(samples, self.contract.part)
        with torch.inference_mode():
            return np.concatenate([self.module.encode(x).numpy() for x in self._inputs(samples)])  # type: ignore[operator]

    def decode(self, latents: np.ndarray) -> np.ndarray:
        """Samples (batch, *shape), float32 (images in [0, 1]), of latents (batch, latent_size)."""
        self._need("decode")
        if latents.ndim != 2 or latents.shape[1] != self.contract.latent_size:
            raise InputError(
                f"the {self.contract.part} takes latents of shape (batch, {self.contract.latent_size}), "
                f"given {latents.shape}"
            )
        with torch.inference_mode():
            return self.module.decode(torch.from_numpy(latents.astype(np.float32))).numpy()  # type: ignore[operator]

    def reconstruct(self, samples: np.ndarray) -> np.ndarray:
        """What the model makes of samples (batch, *shape), float32 (images in [0, 1])."""
        return self.decode(self.encode(samples))

    def _inputs(self, samples: np.ndarray, size: int = 4096) -> Iterator[Tensor]:
        for start in range(0, len(samples), size):
            yield torch.from_numpy(samples[start : start + size]).to(torch.float32) * self.contract.samples.scale

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
        tensors = {name: tensor.contiguous() for name, tensor in self.module.state_dict().items()}
        with atomic.replacing(folder / WEIGHTS) as temporary:
            temporary.write_bytes(serialise(tensors, metadata={"contract": text}))
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


def _build(contract: Contract) -> nn.Module:
    with torch.random.fork_rng():
        return ModelChoice(**contract.model).build(contract.samples)


def _without_other_half(module: nn.Module, part: Literal["encoder", "decoder"]) -> nn.Module:
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
