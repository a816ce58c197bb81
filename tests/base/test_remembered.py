import pytest

from ae_pipelines.base import remembered


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_what_is_kept_is_recalled_by_its_key():
    assert remembered.recall("speeds.json", "here") is None
    remembered.keep("speeds.json", "here", {"threads": 2})
    remembered.keep("speeds.json", "there", {"threads": 4})
    remembered.keep("speeds.json", "here", {"threads": 1})
    assert remembered.recall("speeds.json", "here") == {"threads": 1}
    assert remembered.recall("speeds.json", "there") == {"threads": 4}
    assert remembered.recall("others.json", "here") is None


@pytest.mark.parametrize("damaged", [b"", b'{"here": {"thr', b"[1, 2]", b"\xff\xfe\x00"])
def test_a_damaged_file_is_ignored_and_written_anew(folder, damaged):
    folder.mkdir()
    (folder / "speeds.json").write_bytes(damaged)
    assert remembered.recall("speeds.json", "here") is None
    remembered.keep("speeds.json", "here", 3)
    assert remembered.recall("speeds.json", "here") == 3


def test_what_was_kept_longest_ago_goes_first(monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 2)
    for number, key in enumerate(["a", "b", "a", "c"]):
        remembered.keep("speeds.json", key, number)
    assert [remembered.recall("speeds.json", key) for key in "abc"] == [2, None, 3]


def test_where_nothing_can_be_written_nothing_is_kept(folder):
    folder.write_text("a file where the folder should be")
    remembered.keep("speeds.json", "here", 3)
    assert remembered.recall("speeds.json", "here") is None


def test_without_a_folder_of_its_own_it_lies_among_the_users_caches(tmp_path, monkeypatch):
    monkeypatch.delenv("AE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert remembered.cache_folder() == tmp_path / "ae_pipelines"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert remembered.cache_folder() == tmp_path / ".cache" / "ae_pipelines"
