"""A trained model, or one half of it, with the contract it was trained under."""

import copy
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor

import ae_pipelines
from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.run import NO_RUN, Run
from ae_pipelines.models import ModelChoice, weights
from ae_pipelines.models.contract import Contract, Origin, Task
from ae_pipelines.models.corruptions import Corruption, CorruptionChoice, one_after_another
from ae_pipelines.models.inputs import inputs
from ae_pipelines.models.method import Half, Method, device_of, keep_half, of_half, restored, restores
from ae_pipelines.samples.store import Samples
from ae_pipelines.samples.tiles import Tiling, in_tiles
from ae_pipelines.training.devices import freest_gpu, keep_freed_memory
from ae_pipelines.training.recipe import Recipe

Part = Literal["autoencoder", "encoder", "decoder"]

LARGE_TILES = Tiling((256, 256), overlap=64, exact=False)
"""Tiles of images that a method restores at any size, only to bound the memory."""


@dataclass(frozen=True)
class TrainedModel:
    """A module in evaluation mode and what it promises."""

    module: Method
    contract: Contract

    @classmethod
    def of(
        cls,
        module: Method,
        recipe: Recipe,
        task: Task,
        samples: Samples,
        initial_encoder: Origin | None = None,
        run: Run = NO_RUN,
        device: str = "cpu",
    ) -> Self:
        """`module` as trained by `recipe` for `task` on `samples` in `run`, on this sort of device."""
        module.eval()
        latent_shape, vector_size = _latent_shape(module, task)
        contract = Contract(
            part="autoencoder",
            model=recipe.model.described(),
            task=task if module.wants_labels else task.model_copy(update={"classes": ()}),
            corruptions=[choice.described() for choice in recipe.loader.corruptions],
            latent_shape=latent_shape,
            vector_size=vector_size if len(latent_shape) > 1 else None,
            preprocessing_sha256=samples.spec.preprocessing_sha256,
            samples_id=samples.id,
            learned_from=recipe.learned_from(samples),
            recipe=recipe.name,
            initial_encoder=initial_encoder,
            elsewhere=module.elsewhere,
            run_id=run.id,
            versions={
                "ae_pipelines": ae_pipelines.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
                **({"device": device} if device == "cuda" else {}),
            },
        )
        return cls(module, weights.sealed(contract, module.state_dict()))

    @property
    def device(self) -> torch.device:
        """Where it works; what goes in and comes out is numpy, wherever that is."""
        return device_of(self.module)

    def to(self, device: torch.device | str) -> Self:
        """This model on a device: itself, if it is there already, else a copy."""
        device = torch.device(device)
        if device.type == self.device.type and device.index in (None, self.device.index):
            return self
        return replace(self, module=copy.deepcopy(self.module).to(device))

    def where_trained(self) -> Self:
        """This model on the freest GPU, if it was trained on one and there is one here; else itself."""
        gpu = freest_gpu() if self.contract.versions.get("device") == "cuda" else None
        return self if gpu is None else self.to(gpu)

    @property
    def content(self) -> str:
        """sha256 of weights and contract without the runs that made them: equal for equal trainings."""
        without_runs = self.contract.model_copy(update={"run_id": None, "initial_encoder": None})
        return weights.sealed(without_runs, self.module.state_dict()).sha256

    def part(self, part: Half) -> "TrainedModel":
        """The encoder or the decoder by itself, sharing its weights with this model; for a method without this half,
        a part that refuses and says so."""
        module = keep_half(_build(self.contract), part)
        module.load_state_dict(of_half(self.module.state_dict(), part))
        contract = self.contract.model_copy(update={"part": part})
        return TrainedModel(module.eval(), weights.sealed(contract, module.state_dict()))

    def encode(self, samples: np.ndarray) -> np.ndarray:
        """Latents (batch, contract.latent_size), float32, of samples (batch, *shape) as they are stored.

        Raises `InputError` for samples that break the contract, saying what differs.
        """
        self._need("encode")
        with torch.inference_mode():
            module = self.module
            return np.concatenate([module.vectors(module.encode(x)).cpu().numpy() for x in self._inputs(samples)])

    def decode(self, latents: np.ndarray, labels: Sequence[str | None] | None = None) -> np.ndarray:
        """Samples (batch, *shape), float32 (images in [0, 1]), of latents (batch, *latent_shape).

        A conditional method may be given a label for each, None where it is unknown.
        """
        self._need("decode")
        if latents.shape[1:] != self.contract.latent_shape:
            expected = ", ".join(map(str, self.contract.latent_shape))
            raise InputError(
                f"the {self.contract.part} takes latents of shape (batch, {expected}), given {latents.shape}"
            )
        z = torch.from_numpy(latents.astype(np.float32)).to(self.device)
        with torch.inference_mode():
            if labels is None:
                return self.module.decode(z).cpu().numpy()
            return self.module.decode(z, self._numbers(labels, len(z)).to(self.device)).cpu().numpy()

    def reconstruct(self, samples: np.ndarray) -> np.ndarray:
        """Reconstructions of samples (batch, *shape), float32 (images in [0, 1])."""
        for ability in ("encode", "decode"):
            self._need(ability)
        with torch.inference_mode():
            made = [self.module.decode(self.module.encode(x)).cpu().numpy() for x in self._inputs(samples)]
        return np.concatenate(made)

    @property
    def restores(self) -> bool:
        """Whether it can undo its corruptions."""
        return restores(self.module) and bool(self.contract.corruptions)

    def restore(self, images: np.ndarray) -> np.ndarray:
        """Clean images (n, channels, height, width), float32 in [0, 1], of images (n, channels, height, width) that
        are corrupted as in training, float32, of any height and width; enlarged by a model that undoes downscale.

        An autoencoder works on overlapping tiles of the size it was trained with. `InputError` if the model was not
        trained to undo a corruption of images, or takes another number of channels.
        """
        shape = self.contract.task.input_shape
        if not self.restores or len(shape) != 3:
            raise InputError(
                f"this {self.contract.model['kind']} (recipe {self.contract.recipe}) was not trained to undo a "
                "corruption of images: train a recipe that does, such as denoise_photos"
            )
        if images.ndim != 4 or images.shape[1] != shape[0]:
            raise InputError(f"this model restores images (n, {shape[0]}, height, width), given {images.shape}")
        if hasattr(self.module, "restore"):
            return in_tiles(self._restored, images, LARGE_TILES)
        for ability in ("encode", "decode"):
            self._need(ability)
        return in_tiles(self._restored, images, Tiling((shape[1], shape[2]), overlap=min(shape[1:]) // 2))

    def _restored(self, images: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(self.device)
        with torch.inference_mode():
            return restored(self.module, x).cpu().numpy()

    def encoder_input(self, x: Tensor) -> Tensor:
        """Inputs of the encoder for clean samples x (batch, *shape): only the change of shape by corruptions such as
        downscale is applied."""
        for corruption in self.reshaping:
            x = corruption.reshaped(x, torch.Generator())
        return x

    def corrupted(self, samples: np.ndarray, seed: int = 0) -> np.ndarray:
        """Samples (batch, *shape) as the encoder got them in training, float32."""
        x = inputs(samples, self.contract.samples)
        corrupt = one_after_another(self._corruptions)
        return x.numpy() if corrupt is None else corrupt(x, torch.Generator().manual_seed(seed)).numpy()

    @cached_property
    def _corruptions(self) -> list[Corruption]:
        return [CorruptionChoice(**choice).build() for choice in self.contract.corruptions]

    @cached_property
    def reshaping(self) -> list[Corruption]:
        """Its corruptions that change the shape, in order."""
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
            yield self.encoder_input(inputs(samples[start : start + size], self.contract.samples, self.device))

    def _numbers(self, labels: Sequence[str | None], count: int) -> Tensor:
        kind, classes = self.contract.model["kind"], self.contract.task.classes
        if not self.module.conditional:
            raise InputError(f"this {kind} was trained without labels, so it cannot be given any: leave them out")
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
        """Write weights and contract; the old ones stay until the new weights are complete."""
        weights.write(folder, self.module.state_dict(), self.contract)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """What `save` wrote, verified; needs nothing but the folder."""
        keep_freed_memory()
        tensors, contract = weights.read(Path(folder))
        module = _build(contract)
        if contract.part != "autoencoder":
            module = keep_half(module, contract.part)
        module.load_state_dict(tensors)
        return cls(module.eval(), contract)


def _build(contract: Contract) -> Method:
    with torch.random.fork_rng():
        return ModelChoice(**contract.model).build(contract.task)


def _latent_shape(module: Method, task: Task) -> tuple[tuple[int, ...], int]:
    """The shape of what `encode` gives, and the size of its vectors."""
    if not hasattr(module, "encode"):
        return ((module.latent_size,), module.latent_size) if hasattr(module, "decode") else ((), 0)
    with torch.inference_mode():
        z = module.encode(torch.zeros(1, *task.input_shape, device=device_of(module)))
        return tuple(z.shape[1:]), module.vectors(z).shape[1]
