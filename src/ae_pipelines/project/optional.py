"""Inputs that a node can do without."""

import inspect
from collections.abc import Iterator

from kedro.framework.hooks import hook_impl
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from ae_pipelines.io.missing import MissingDataset


class OptionalHook:
    """A node's parameter whose default is None is an optional input: it gets None where the file is not there, unless
    the run makes it, or another node needs it."""

    @hook_impl
    def before_pipeline_run(self, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
        optional, needed = set[str](), set[str]()
        for node in pipeline.nodes:
            dispensable = set(optional_inputs(node))
            optional |= dispensable
            needed |= set(node.inputs) - dispensable
        for name in optional & pipeline.inputs() - needed:
            if not catalog.exists(name):
                catalog._datasets.pop(name, None)  # Kedro warns of an entry that takes the place of another
                catalog[name] = MissingDataset()


def optional_inputs(node: Node) -> Iterator[str]:
    """The datasets that this node can do without."""
    bound = node._inputs
    parameters = inspect.signature(node.func).parameters
    if isinstance(bound, str):
        bound = [bound]
    by_parameter = bound if isinstance(bound, dict) else dict(zip(parameters, bound or [], strict=False))
    for parameter, dataset in by_parameter.items():
        if parameter in parameters and parameters[parameter].default is None:
            yield dataset
