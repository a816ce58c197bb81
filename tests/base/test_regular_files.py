"""Only files are opened as files."""

import os
from pathlib import Path

import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.base.regular_files import content, opened, regular


def test_a_file_is_opened_and_read(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"hello")
    (tmp_path / "link").symlink_to(path)
    with opened(path) as file:
        assert file.read() == content(tmp_path / "link") == b"hello"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for read in (regular, opened, content):
        with pytest.raises(InputError, match="pipe is a pipe, expected a file"):
            read(tmp_path / "pipe")


@pytest.mark.parametrize(("path", "kind"), [("/dev/zero", "a device"), ("/", "a folder")])
def test_a_device_and_a_folder_are_no_files(path, kind):
    with pytest.raises(InputError, match=f"is {kind}, expected a file"):
        content(Path(path))


def test_a_file_that_is_not_there_is_for_its_opener_to_tell(tmp_path):
    assert regular(tmp_path / "none") == tmp_path / "none"
    with pytest.raises(FileNotFoundError):
        content(tmp_path / "none")


def test_no_more_is_read_than_was_said(tmp_path):
    (tmp_path / "a").write_bytes(bytes(11))
    assert len(content(tmp_path / "a", 11)) == 11
    with pytest.raises(InputError, match="has 11 bytes, more than the 10 allowed"):
        content(tmp_path / "a", 10)
