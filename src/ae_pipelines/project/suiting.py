"""What ingested samples look like is said, with the recipe that suits them; `recipe=auto` becomes that recipe."""

import logging
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from ae_pipelines.samples.store import Samples
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.suits import suiting

log = logging.getLogger(__name__)

RECIPE, SAMPLES = "params:recipe", "samples"
"""The catalog entries of the recipe, and of what it learns from."""


class SuitingHook:
    """Says after ingest what samples look like and which recipe suits them.

    With `recipe=auto` that recipe, with the fields that were typed for it, takes the place of the parameter in the
    catalog, before any node but ingest's is given it: from there on all is as if it had been named. Where samples are
    there already, that is before the first node, and once more if they are made again.
    """

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        self._configuration = context.config_loader

    @hook_impl
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        self._catalog = catalog
        self._undecided = RECIPE in pipeline.inputs() and catalog.load(RECIPE).undecided
        there = SAMPLES in pipeline.inputs() or run_params.get("only_missing_outputs")
        if self._undecided and there and catalog.exists(SAMPLES):
            self._suit(catalog.load(SAMPLES))

    @hook_impl(tryfirst=True)
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        if dataset_name == SAMPLES:
            self._suit(self._catalog.load(SAMPLES))

    def _suit(self, samples: Samples) -> None:
        found = suiting(samples)
        log.info("%s", found)
        if self._undecided:
            chosen = self._configuration.recipe_called(found.recipe, found.changes)  # type: ignore[attr-defined]
            self._catalog.save(RECIPE, Recipe.model_validate(chosen))
