"""Inputs that a node can do without."""

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner

from ae_pipelines.io.atomic_datasets import JSONDataset
from ae_pipelines.project.optional import OptionalHook


def both(needed, optional=None):
    return [needed, optional]


def alone(optional):
    return optional


def prepared(pipeline, tmp_path, **there):
    catalog = DataCatalog({name: JSONDataset(filepath=str(tmp_path / f"{name}.json")) for name in ("a", "b", "c", "d")})
    for name, value in there.items():
        catalog.save(name, value)
    OptionalHook().before_pipeline_run(pipeline=pipeline, catalog=catalog)
    catalog["result"] = MemoryDataset()
    return catalog


@pytest.mark.parametrize("inputs", [["a", "b"], {"needed": "a", "optional": "b"}])
def test_an_optional_input_is_none_where_it_is_not_there_and_itself_where_it_is(inputs, tmp_path):
    pipeline = Pipeline([Node(both, inputs, "result")])
    for there, expected in (({"a": 1}, [1, None]), ({"a": 1, "b": 2}, [1, 2])):
        catalog = prepared(pipeline, tmp_path, **there)
        SequentialRunner().run(pipeline, catalog)
        assert catalog.load("result") == expected


def test_what_is_needed_must_be_there(tmp_path):
    pipeline = Pipeline([Node(both, ["a", "b"], "result")])
    with pytest.raises(Exception, match=r"a\.json"):
        SequentialRunner().run(pipeline, prepared(pipeline, tmp_path, b=2))


def test_what_another_node_needs_must_be_there_too(tmp_path):
    pipeline = Pipeline([Node(both, ["a", "b"], "result"), Node(alone, "b", "c")])
    with pytest.raises(Exception, match=r"b\.json"):
        SequentialRunner().run(pipeline, prepared(pipeline, tmp_path, a=1))


def test_what_the_run_makes_is_waited_for(tmp_path):
    pipeline = Pipeline([Node(both, ["a", "b"], "result"), Node(alone, "c", "b")])
    catalog = prepared(pipeline, tmp_path, a=1, c=3)
    SequentialRunner().run(pipeline, catalog)
    assert catalog.load("result") == [1, 3]
