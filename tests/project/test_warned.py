"""What a run warns about."""

import json
import logging

import pytest
from kedro.pipeline import Node

from ae_pipelines.project.warned import WarningsHook

log = logging.getLogger("ae_pipelines.somewhere")


def node(name, stage="cluster"):
    return Node(lambda: 1, None, "x", name=name, namespace=stage)


@pytest.fixture
def hook(tmp_path):
    hook = WarningsHook()
    hook.after_catalog_created(conf_catalog={"warnings": {"filepath": str(tmp_path / "warnings.json")}})
    yield hook
    logging.getLogger("ae_pipelines").removeHandler(hook)


def run(hook, node, *texts):
    hook.before_node_run(node=node)
    for text in texts:
        log.warning("cluster: %s", text)
    log.info("not this")
    hook.after_dataset_saved(node=node)


def kept(tmp_path):
    return json.loads((tmp_path / "warnings.json").read_text())


def test_warnings_are_kept_by_stage_and_node_and_those_of_a_node_replaced_by_its_next_run(hook, tmp_path):
    run(hook, node("fit"), "few rows", "twice")
    run(hook, node("draw", "detect"), "odd")
    assert kept(tmp_path) == {
        "cluster": {"cluster.fit": ["cluster: few rows", "cluster: twice"]},
        "detect": {"detect.draw": ["cluster: odd"]},
    }
    run(hook, node("fit"))
    assert kept(tmp_path)["cluster"] == {}
    assert kept(tmp_path)["detect"]


def test_what_is_said_outside_of_nodes_is_not_kept_and_nothing_said_writes_nothing(hook, tmp_path):
    log.warning("before any node")
    run(hook, node("fit"))
    log.warning("after it")
    assert not (tmp_path / "warnings.json").exists()


def test_a_damaged_file_is_replaced(hook, tmp_path):
    (tmp_path / "warnings.json").write_text("{")
    run(hook, node("fit"), "few rows")
    assert kept(tmp_path) == {"cluster": {"cluster.fit": ["cluster: few rows"]}}


@pytest.mark.parametrize("content", ['{"cluster": ["few rows"]}', "[]", "3"])
def test_a_file_that_is_no_notes_is_replaced(hook, tmp_path, content):
    (tmp_path / "warnings.json").write_text(content)
    run(hook, node("fit"), "few rows")
    assert kept(tmp_path) == {"cluster": {"cluster.fit": ["cluster: few rows"]}}


def test_a_file_that_cannot_be_written_ends_no_run_and_is_said_once(hook, tmp_path, caplog):
    (tmp_path / "warnings.json").mkdir()
    run(hook, node("fit"), "few rows")
    run(hook, node("fit"), "few rows")
    assert caplog.text.count("notes cannot be written") == 1
