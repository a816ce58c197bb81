"""Models on latents are opened from their files, and nothing else is."""

import json
import os
import zipfile

import pytest
from skops import io as skops

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream import saved


def archive(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tmp_path):
    path = archive(tmp_path / "a.skops", {"schema.json": "{}", "a.npy": bytes(10**6)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="declares 2 members of 1,000,002 bytes"):
        saved.read(path)


def test_an_archive_of_many_members_is_refused(tmp_path):
    path = archive(tmp_path / "a.skops", {str(number): b"" for number in range(saved.MOST_MEMBERS + 1)})
    with pytest.raises(InputError, match="declares 10,001 members"):
        saved.read(path)


@pytest.mark.parametrize("schema", ["[" * 100_000, "{}", json.dumps({"__loader__": "NoNode"}), "[]"])
def test_an_archive_that_is_no_model_is_refused_in_a_sentence(tmp_path, schema):
    with pytest.raises(InputError, match="no model of ours"):
        saved.read(archive(tmp_path / "a.skops", {"schema.json": schema}))


def test_another_object_is_no_model(tmp_path):
    skops.dump({"a": 1}, tmp_path / "a.skops")
    with pytest.raises(InputError, match="holds a dict, expected a model"):
        saved.read(tmp_path / "a.skops")


def test_a_pipe_is_no_model(tmp_path):
    os.mkfifo(tmp_path / "a.skops")
    with pytest.raises(InputError, match="is a pipe"):
        saved.read(tmp_path / "a.skops")
