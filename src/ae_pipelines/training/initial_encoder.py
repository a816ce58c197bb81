"""An encoder that was trained earlier, as the start of another training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from ae_pipelines.base.errors import InputError
from ae_pipelines.models import ModelChoice, weights
from ae_pipelines.models.contract import Contract, Origin
from ae_pipelines.models.map_vectors import unlearned
from ae_pipelines.models.method import Method, of_half

PLACES = ("", "autoencoder", "encoder", "06_models/autoencoder", "06_models/encoder")
"""Where it may be in a given folder; `autoencoder` first, since `encoder` is taken out of it by a later stage."""


@dataclass(frozen=True)
class InitialEncoder:
    """Weights of an encoder, with the contract that came with them."""

    folder: Path
    contract: Contract
    tensors: dict[str, Tensor]
    """Its weights, by their names in a method: "encoder.…"."""
    frozen: bool = False
    """Whether training leaves it as it is."""

    @classmethod
    def load(cls, folder: Path, frozen: bool = False) -> Self:
        """The encoder in `folder`, which holds an encoder, an autoencoder, or everything a run has made (its
        `data_dir`); `InputError` if there is none, or if it is damaged."""
        place = _place(folder)
        try:
            tensors, contract = weights.read(place)
        except InputError as error:
            raise InputError(f"training.initial_encoder: {error}") from error
        found = of_half(tensors, "encoder")
        if not found:
            raise InputError(
                f"training.initial_encoder: the model in {place} has no encoder: it is the {contract.part} of "
                f"recipe {contract.recipe} ({contract.model['kind']}); give a folder with an encoder or an autoencoder"
            )
        return cls(place, contract, found, frozen)

    @property
    def origin(self) -> Origin:
        """What the contract of a model that started from it says about it."""
        earlier = self.contract
        return Origin(recipe=earlier.recipe, run_id=earlier.run_id, sha256=earlier.sha256, frozen=self.frozen)

    def give_to(self, model: Method) -> None:
        """Make these the weights of `model`'s encoder, and freeze them if `frozen`; `InputError` unless it has the
        same layers, and something else that can be trained."""
        if not model.phases():
            raise InputError(
                "training.initial_encoder: this method learns its encoder without gradients, so it does not start from "
                f"the one in {self.folder}: leave it out, or choose another method, such as autoencoder"
            )
        self._refuse_other_layers(of_half(model.state_dict(), "encoder"))
        model.take_encoder(self.tensors if self.frozen else unlearned(self.tensors))
        if not self.frozen:
            return
        self._refuse_other_latents(model)
        model.freeze_encoder()
        if not any(parameter.requires_grad for parameter in model.parameters()):
            raise InputError(
                "training.freeze_encoder: this method has nothing to train but its encoder: leave it out, or choose a "
                "method with a decoder, such as autoencoder"
            )

    def check(self, choice: ModelChoice) -> None:
        """`InputError` if such a model, of samples like those it learned from, cannot start from it: most misfits are
        found before there are samples."""
        task = self.contract.task
        with torch.random.fork_rng():
            try:
                model = choice.build(task.model_copy(update={"classes": task.classes or ("a", "b")}))
            except InputError:
                return  # such samples do not suit the model; the ones to come may
            self.give_to(model)

    def _refuse_other_layers(self, own: dict[str, Tensor]) -> None:
        given, wanted = ({name: t.shape for name, t in unlearned(tensors).items()} for tensors in (self.tensors, own))
        if given != wanted:
            raise InputError(
                f"training.initial_encoder: the encoder in {self.folder} (recipe {self.contract.recipe}, "
                f"{_size(self.tensors)}) does not have the layers of this recipe's ({_size(own)}): give both the same "
                "model.net and latent_size, and samples of one shape"
            )

    def _refuse_other_latents(self, model: Method) -> None:
        """A net may have the same weights but other activations; training makes up for that, unless it is frozen."""
        with torch.random.fork_rng():
            earlier = ModelChoice(**self.contract.model).build(self.contract.task)
        earlier.load_state_dict(self.tensors, strict=False)
        x = torch.rand(2, *self.contract.task.input_shape, generator=torch.Generator().manual_seed(0))
        was_training = model.training
        with torch.inference_mode():
            same = torch.allclose(earlier.eval().encode(x), model.eval().encode(x), atol=1e-5)
        model.train(was_training)
        if not same:
            raise InputError(
                f"training.freeze_encoder: with the weights in {self.folder} this recipe's encoder gives other "
                f"latents than that of recipe {self.contract.recipe} did: give both the same model.net (activation, "
                "downsample) and latent_activation"
            )


def weights_in(folder: Path) -> list[Path]:
    """The file of the encoder that is meant, if there is one: that of an MLflow run never changes."""
    return [file for place in PLACES if (file := folder / place / weights.WEIGHTS).exists()][:1]


def _place(folder: Path) -> Path:
    for file in weights_in(folder):
        return file.parent
    there = "has no trained encoder in it" if folder.is_dir() else "is not a folder"
    raise InputError(
        f"training.initial_encoder: {folder} {there}: give the folder of an encoder or an autoencoder "
        f"({weights.WEIGHTS}), or the data_dir of the run that trained it"
    )


def _size(tensors: dict[str, Tensor]) -> str:
    return f"{len(tensors)} tensors, {sum(tensor.numel() for tensor in tensors.values()):,} values"
