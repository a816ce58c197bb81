"""What to make with a decoder. Cheap to import."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NoReturn

from pydantic import BeforeValidator, Field

from ae_pipelines.base.errors import InputError, first_of
from ae_pipelines.base.options import Options
from ae_pipelines.comparison.contrast import ContrastOptions
from ae_pipelines.generation import known
from ae_pipelines.models.contract import Contract
from ae_pipelines.models.corruptions import corrupted_spec
from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe

MODEL = Path("06_models/autoencoder")
"""Where the model is in a run's data folder."""
KNOWN_IDS = 3
"""Ids that are named where one is unknown."""
Name = Annotated[str, BeforeValidator(str)]
"""A label, which may be written as a number."""


class GenerateOptions(Options):
    """What to make, and how much of it."""

    count: Annotated[int, Field(gt=0)] = 100
    """New samples that are written."""
    classes: tuple[Name, ...] = ()
    """Classes that a conditional method makes, in turn; none: all."""
    between: tuple[Name, Name] | None = None
    """Two `sample_id`s to interpolate between; None: random test samples, of different labels where there are labels,
    or without an encoder two draws of the prior."""
    path: Literal["linear", "spherical"] = "spherical"
    """Path of the moving picture; the strip shows both."""
    add: tuple[Name, ...] = ()
    """Latent arithmetic: to each of `to` the mean latent of these ids or labels (all samples with that label) is added,
    and that of `subtract` is subtracted. If none of the three is given, one label is turned into another."""
    subtract: tuple[Name, ...] = ()
    to: tuple[Name, ...] = ()
    """Ids or labels to change; a label stands for its mean."""
    manifold: bool = False
    """Refuse latents of any size but 2, which have no plane to draw."""
    grid: Annotated[int, Field(ge=2, le=40)] = 15
    """Decoded points on each side, of the manifold and of the gaps."""
    beside: Path | None = None
    """The data folder of another run whose latent space is searched for gaps too."""
    judged: Annotated[int, Field(ge=10)] = 5000
    """New samples whose quality is measured, beside as many train ones, against as many test ones; fewer where there
    are fewer."""
    judge: ContrastOptions = ContrastOptions()
    """The classifier that quality is measured by, trained from the labels once and kept."""
    seed: Annotated[int, Field(ge=0)] = 0

    def check(self) -> None:
        """`InputError` if a corruption of the judge's is unknown or does not take its options, or if `beside` has no
        model."""
        self.judge.check()
        if self.beside is not None and not (self.beside / MODEL).is_dir():
            raise InputError(
                f"generate.beside: no trained model in {self.beside / MODEL}: give the data_dir of a run that has "
                "trained one"
            )

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if a model of this recipe cannot make what is asked for."""
        recipe.check_ability("decode", "generate")
        if recipe.model.described().get("net", {}).get("latent") == "map":
            _refuse_maps(recipe.name)
        self.refuse(_Abilities.of_recipe(recipe))

    def check_samples(self, samples: Samples) -> None:
        """`InputError` if an id, a label or a class that is asked for is not there."""
        labels = samples.classes()
        self._refuse_unknown_ids("between", self.between or (), samples)
        for name in ("add", "subtract", "to"):
            self._refuse_unknown_ids(name, getattr(self, name), samples, labels)
        self.refuse_unknown_classes(labels)
        augmented = corrupted_spec([choice.build() for choice in self.judge.augment], samples.spec).shape
        if augmented != samples.spec.shape:
            raise InputError(
                f"generate.judge.augment turns samples of shape {samples.spec.shape} into {augmented}, but what is "
                "judged stays as it is: leave out downscale and greyscale"
            )

    def check_trained(self, contract: Contract, encodes: bool, decodes: bool) -> None:
        """`InputError` if this model cannot make what is asked for."""
        kind = str(contract.model["kind"])
        if not decodes:
            raise InputError(f"{kind} has no decoder, so generate cannot run: choose a method with one, such as vae")
        if len(contract.latent_shape) > 1:
            _refuse_maps(contract.recipe)
        conditional = bool(contract.model.get("conditional", False))
        self.refuse(_Abilities(kind, contract.latent_size, encodes, conditional))
        if conditional:
            self.refuse_unknown_classes(contract.task.classes)

    def refuse(self, method: "_Abilities") -> None:
        """`InputError` if options do not go together, or with this method."""
        if self.manifold and method.latent_size != 2:
            raise InputError(
                f"generate.manifold draws a plane, but latents of this {method.kind} have {method.latent_size} "
                "numbers: train with recipe.model.latent_size=2, or leave it out"
            )
        if self.classes and not method.conditional:
            raise InputError(
                f"generate.classes: this {method.kind} was trained without labels, so it cannot be asked for "
                f"{first_of(self.classes)}: leave it out, or train a conditional recipe, such as cvae or cgan"
            )
        given = [name for name in ("between", "add", "subtract", "to", "beside") if getattr(self, name)]
        if given and not method.encodes:
            raise InputError(
                f"{method.kind} has no encoder, so real samples have no place among its latents: leave out "
                + ", ".join(f"generate.{name}" for name in given)
            )
        if any((self.add, self.subtract)) and not self.to:
            raise InputError("generate.add and generate.subtract need samples to change: give generate.to=[...]")
        if self.to and not any((self.add, self.subtract)):
            raise InputError("generate.to: nothing is added or taken away: give generate.add or generate.subtract")

    def refuse_unknown_classes(self, known: tuple[str, ...]) -> None:
        """`InputError` if a class is not among these."""
        if unknown := [name for name in self.classes if name not in known]:
            raise InputError(
                f"generate.classes: no class is called {first_of(unknown)}; there are {first_of(known) or 'none'}"
            )

    def _refuse_unknown_ids(
        self, name: str, wanted: tuple[str, ...], samples: Samples, labels: tuple[str, ...] = ()
    ) -> None:
        wanted = tuple(given for given in wanted if given not in labels)
        rows = samples.rows_of(wanted) if wanted else ()
        if unknown := [given for given, row in zip(wanted, rows, strict=True) if row < 0]:
            some = first_of(known.first_ids(samples, KNOWN_IDS, labels))
            raise InputError(
                f"generate.{name}: no sample{' or label' if labels else ''} is called {first_of(unknown)}; there "
                f"are, for example, {some}" + (f", and the labels {first_of(labels)}" if labels else "")
            )


def _refuse_maps(recipe: str) -> NoReturn:
    raise InputError(
        f"generate needs latent vectors, but those of recipe {recipe} are feature maps, too many numbers to draw anew: "
        "give recipe.model.net.latent=vector, or another recipe, such as vae"
    )


@dataclass(frozen=True)
class _Abilities:
    """What a method can do."""

    kind: str
    latent_size: int
    encodes: bool
    conditional: bool

    @classmethod
    def of_recipe(cls, recipe: Recipe) -> "_Abilities":
        kind, options = recipe.model.kind, recipe.model.check()
        conditional = bool(options.get("conditional", False))
        return cls(kind, int(options["latent_size"]), recipe.model.can("encode"), conditional)
