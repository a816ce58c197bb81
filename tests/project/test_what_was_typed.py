"""What was typed."""

import json
from types import SimpleNamespace

from kedro.pipeline import Node

from ae_pipelines.project.given import GivenHook


def run(hook, tmp_path, stage, **given):
    hook.after_context_created(context=SimpleNamespace(_runtime_params=given))
    hook.after_catalog_created(conf_catalog={"given": {"filepath": str(tmp_path / "given.json")}})
    hook.after_dataset_saved(node=Node(lambda: 1, None, "x", name="a", namespace=f"{stage}.pca"))


def test_what_was_typed_is_kept_by_stage_until_the_stage_runs_again(tmp_path):
    hook = GivenHook()
    run(hook, tmp_path, "fit")
    assert not (tmp_path / "given.json").exists()
    run(hook, tmp_path, "fit", recipe={"training": {"epochs": 3}})
    run(hook, tmp_path, "cluster", cluster={"clusters": 4})
    assert json.loads((tmp_path / "given.json").read_text()) == {
        "fit": {"recipe.training.epochs": "3"},
        "cluster": {"cluster.clusters": "4"},
    }
    run(hook, tmp_path, "fit")
    assert json.loads((tmp_path / "given.json").read_text())["fit"] == {}


def test_secrets_are_not_kept_and_a_file_that_cannot_be_written_ends_no_run(tmp_path):
    hook = GivenHook()
    run(hook, tmp_path, "fit", source={"api_key": "abc", "path": "/x"})
    assert json.loads((tmp_path / "given.json").read_text()) == {"fit": {"source.path": "/x"}}
    (tmp_path / "given.json").unlink()
    (tmp_path / "given.json").mkdir()
    run(hook, tmp_path, "fit", cluster={"clusters": 4})
