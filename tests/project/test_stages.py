"""What every stage must bring: an entry for each of its datasets, with a layer for Kedro-Viz."""

import pkgutil
from graphlib import TopologicalSorter

import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import MemoryDataset
from making import PROJECT

from ae_pipelines import pipelines as stages
from ae_pipelines.pipeline_registry import register_pipelines
from ae_pipelines.project.tracked import RUN

STAGES = [room.name for room in pkgutil.iter_modules(stages.__path__)]
PIPELINES = register_pipelines()


@pytest.fixture(scope="module")
def catalog():
    bootstrap_project(PROJECT)
    with KedroSession.create(project_path=PROJECT) as session:
        return session.load_context().catalog


def layer(catalog, name):
    entry = catalog.get(name)
    assert entry is not None, f"{name} has no entry: give it one in conf/base/catalog.yml"
    metadata = entry.metadata or {}
    assert metadata.get("kedro-viz", {}).get("layer"), f"give {name} a layer: metadata: {{kedro-viz: {{layer: ...}}}}"
    return metadata["kedro-viz"]["layer"]


def datasets(names):
    """Without options, and the run that each node may be told of."""
    return [name for name in names if not name.startswith("params:") and name != RUN]


@pytest.mark.parametrize("stage", STAGES)
def test_every_dataset_of_a_stage_has_an_entry_with_a_layer(stage, catalog):
    assert all(layer(catalog, name) for name in datasets(PIPELINES[stage].datasets()))


def test_every_dataset_of_the_main_job_is_kept(catalog):
    for name in datasets(PIPELINES["__default__"].datasets()):
        assert not isinstance(catalog.get(name), MemoryDataset), name


@pytest.mark.parametrize("pipeline", [*PIPELINES, "train and score"])
def test_layers_follow_one_another_or_kedro_viz_shows_none(pipeline, catalog):
    both = {"train and score": PIPELINES["__default__"] + PIPELINES["score"]}
    before = {}
    for node in (PIPELINES | both)[pipeline].nodes:
        for above in {layer(catalog, name) for name in datasets(node.outputs)}:
            below = {layer(catalog, name) for name in datasets(node.inputs)}
            before.setdefault(above, set()).update(below - {above})
    assert len([*TopologicalSorter(before).static_order()]) > 1
