"""Nodes are named at the command line by their stage, whichever box of it they are drawn in."""

import pytest
from click.testing import CliRunner
from kedro.framework.startup import bootstrap_project
from making import PROJECT

from ae_pipelines.cli import run as command


@pytest.mark.parametrize(
    ("option", "parameter"), [("nodes", "node_names"), ("from-nodes", "from_nodes"), ("to-nodes", "to_nodes")]
)
def test_a_node_in_a_box_is_found_with_the_box_in_its_name_and_without(option, parameter, monkeypatch):
    bootstrap_project(PROJECT)
    given = {}
    monkeypatch.setattr(command, "callback", lambda **words: given.update(words))
    names = ["cluster.fit_pca_clusters", "cluster.pca.assign_pca_clusters", "cluster.fit_clusters", "nobody"]
    result = CliRunner().invoke(command, ["--pipelines=cluster", f"--{option}={','.join(names)}"])
    assert result.exit_code == 0, result.output
    assert given[parameter] == ["cluster.pca.fit_pca_clusters", *names[1:]]
