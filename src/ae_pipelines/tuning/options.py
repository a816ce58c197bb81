"""How a recipe is tuned. Cheap to import."""

from typing import Annotated, Literal

from pydantic import Field

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.options import Options
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.tuning.objectives import AUTO, check_names
from ae_pipelines.tuning.space import Among, Space, changed, grid


class TuneOptions(Options):
    """How a recipe is tuned."""

    kind: Literal["study", "learning_rate"] = "study"
    """study: trials of a search space; learning_rate: one short training in which the rate grows (Smith 2017)."""
    space: Space = Space()
    """By name: a file of `conf/base/parameters/spaces`; without one, that of the recipe."""
    objective: list[str] = [AUTO]
    """What is best, by one name or several; of several, the values that are best in one without being worse in another
    (Pareto)."""
    trials: Annotated[int, Field(gt=0)] = 20
    """How many, the recipe as it is included."""
    minutes: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """No trial begins later than this; None: however long they take."""
    sampler: Literal["tpe", "gp", "random", "grid"] = "tpe"
    """tpe: Bergstra et al. 2011; gp: Gaussian process."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """Which trials end early, by their validation curve; hyperband: Li et al. 2018."""
    workers: Annotated[int, Field(gt=0)] = 1
    """Trials at once, each in a process of its own and on one thread."""
    learn: Annotated[int, Field(gt=0)] | None = 6_000
    """Most samples of the train split that a trial learns from; None: all but those that judge."""
    judge: Annotated[int, Field(gt=0)] = 2_000
    """Most samples of the train split by which trials are judged; none of them learns from these."""
    final_seeds: Annotated[int, Field(gt=1)] = 3
    """Fresh seeds with which the winner and the recipe as it was are trained whole and compared at the end."""
    seed: Annotated[int, Field(ge=0)] = 0

    def check_recipe(self, recipe: Recipe) -> None:
        """`InputError` if the search space does not fit this recipe, or if the objectives cannot judge models of it, or
        of a method that is searched."""
        if self.kind != "study":
            return
        if not self.space.fields:
            raise InputError(
                "tune has no search space: name a recipe, such as recipe=probe, which has one, or give tune.space"
            )
        check_names(self.objective, recipe)
        self.space.check_recipe(recipe)
        for path in ("model", "model.kind"):
            field = self.space.fields.get(path)
            for value in field.choices.values() if isinstance(field, Among) else []:
                check_names(self.objective, changed(recipe, {path: value}))
        if self.sampler == "grid":
            grid(self.space, recipe)
