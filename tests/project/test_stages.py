"""What every stage must bring: an entry for each of its datasets, with a layer for Kedro-Viz."""

import inspect
import pkgutil

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


@pytest.fixture(scope="module")
def viz(catalog):
    """What Kedro-Viz makes of the pipelines, and of two in one: `kedro viz build` does the same and writes it."""
    from kedro_viz.data_access.managers import DataAccessManager

    both = {"train and score": PIPELINES["__default__"] + PIPELINES["score"]}
    kedro_viz = DataAccessManager()
    kedro_viz.add_catalog(catalog, PIPELINES | both)
    kedro_viz.add_pipelines(PIPELINES | both)
    return kedro_viz


def boxes(viz, pipeline):
    """The boxes of a pipeline by name, with those inside them, and `__root__` with what is on the top level."""
    return viz.create_modular_pipelines_tree_for_registered_pipeline(pipeline)


@pytest.mark.parametrize("pipeline", [*PIPELINES, "train and score"])
def test_layers_follow_one_another_with_boxes_closed_or_kedro_viz_shows_none(pipeline, viz, caplog):
    boxes(viz, pipeline)  # a closed box gives all that it makes after all that it takes
    assert len(viz.get_sorted_layers_for_registered_pipeline(pipeline)) > 1, caplog.text


def test_nodes_that_make_only_controls_are_in_one_box_of_their_stage():
    nodes = {node for pipeline in PIPELINES.values() for node in pipeline.nodes}
    controls = {node for node in nodes if all(name.startswith("pca_") for name in node.outputs or [""])}
    assert controls == {node for node in nodes if str(node.namespace).endswith(".pca")}
    assert len(controls) > 1


def test_kedro_viz_can_show_every_picture(catalog):
    made = {name for pipeline in PIPELINES.values() for name in datasets(pipeline.all_outputs())}
    paths = {name: str(catalog.get(name)._describe().get("filepath")) for name in made}
    pictures = [catalog.get(name) for name, path in paths.items() if path.endswith((".png", ".gif"))]
    kinds = [inspect.signature(picture.preview).return_annotation for picture in pictures]
    assert [getattr(kind, "__name__", kind) for kind in kinds] == ["ImagePreview"] * len(pictures)


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_in_the_outline(stage):
    assert PIPELINES[stage].only_nodes_with_tags("outline").nodes


@pytest.mark.parametrize(("pipeline", "most"), [("train", 25), ("__default__", 25), ("score", 15)])
def test_the_outline_can_be_read(pipeline, most, viz):
    """What Kedro-Viz shows at first of a pipeline, filtered by the tag: boxes and what goes between them."""
    top = [viz.nodes.get_node_by_id(child.id) for child in boxes(viz, pipeline)["__root__"].children]
    shown = [node.name for node in top if "outline" in node.tags and node.type != "parameters"]
    assert len(shown) <= most, sorted(shown)
    assert "latents" in shown or pipeline == "score"
