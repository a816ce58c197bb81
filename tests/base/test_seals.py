import json
import tracemalloc

import pytest
from making import names_in

from ae_pipelines.base import atomic, seals
from ae_pipelines.base.content import canonical_sha256
from ae_pipelines.base.errors import InputError


def sealed_folder(place):
    with seals.replacing_folder(place) as folder:
        (folder / "a.txt").write_text("first")
        (folder / "sub").mkdir()
        (folder / "sub/b.txt").write_text("second")
    return place


def refused(path):
    try:
        seals.check(path, "make it again")
    except InputError as error:
        return str(path) in str(error) and str(error).endswith("make it again")
    return False


def test_every_flipped_bit_of_a_file_or_its_seal_is_refused_and_the_whole_file_is_not(tmp_path):
    path = tmp_path / "numbers.json"
    seals.write_text(path, '{"accuracy": 0.5}')
    for damaged in (path, tmp_path / ".numbers.json.seal"):
        content = damaged.read_bytes()
        for place in range(len(content)):
            for bit in range(8):
                damaged.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
                # white space of the seal's JSON may change: then it says what it said
                assert refused(path) or damaged != path
        damaged.write_bytes(content)
        assert not refused(path)


@pytest.mark.parametrize("length", [0, 1, 16])
def test_a_file_that_was_cut_is_refused(tmp_path, length):
    path = tmp_path / "numbers.json"
    seals.write_text(path, '{"accuracy": 0.5}')
    path.write_bytes(path.read_bytes()[:length])
    assert refused(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "sub/b.txt").write_text("Second"),
        lambda folder: (folder / "sub/b.txt").unlink(),
        lambda folder: (folder / "sub/c.txt").write_text("third"),
        lambda folder: (folder / "sub/b.txt").rename(folder / "sub/c.txt"),
        lambda folder: (folder / ".seal").write_text("{}"),
    ],
    ids=["changed", "removed", "added", "renamed", "its seal"],
)
def test_a_folder_in_which_something_differs_is_refused(tmp_path, damage):
    folder = sealed_folder(tmp_path / "folder")
    assert not refused(folder)
    damage(folder)
    assert refused(folder)


def test_the_error_names_what_is_damaged_in_a_folder(tmp_path):
    folder = sealed_folder(tmp_path / "folder")
    (folder / "sub/b.txt").write_text("third")
    with pytest.raises(InputError, match=r"folder is damaged \(sub/b\.txt is not what was written\): make it again"):
        seals.check(folder, "make it again")


def test_a_writer_killed_before_or_after_the_rename_leaves_something_whole(tmp_path, monkeypatch):
    path = tmp_path / "numbers.json"
    seals.write_text(path, "old")
    publish, written = atomic.publish, []

    def killed_before(temporary, place, over_folder=False):
        if place == path:
            raise KeyboardInterrupt
        publish(temporary, place, over_folder)

    def killed_after(temporary, place, over_folder=False):
        publish(temporary, place, over_folder)
        written.append(place)
        if place == path:
            raise KeyboardInterrupt

    for killed, content in ((killed_before, "old"), (killed_before, "old"), (killed_after, "new")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(atomic, "publish", killed)
            seals.write_text(path, "new")
        assert path.read_text() == content
        assert not refused(path)
    assert path in written
    seals.write_text(path, "newer")
    assert not refused(path)


def test_equal_content_has_equal_seals_whatever_was_there_before(tmp_path):
    for name, before in (("a", "one"), ("b", "another")):
        seals.write_text(tmp_path / name / "x.json", before)
        seals.write_text(tmp_path / name / "x.json", "the same")
    assert (tmp_path / "a/.x.json.seal").read_bytes() == (tmp_path / "b/.x.json.seal").read_bytes()


def test_a_seal_keeps_what_the_file_was_made_from(tmp_path):
    with seals.made_from({"latents": "abc"}):
        seals.write_text(tmp_path / "x.json", "1")
        sealed_folder(tmp_path / "folder")
    seals.write_text(tmp_path / "y.json", "1")
    assert seals.seal_of(tmp_path / "x.json").made_from == {"latents": "abc"}
    assert seals.seal_of(tmp_path / "folder").made_from == {"latents": "abc"}
    assert seals.seal_of(tmp_path / "y.json").made_from == {}


def test_what_was_never_sealed_or_is_not_there_is_left_alone(tmp_path):
    (tmp_path / "x.json").write_text("1")
    assert not refused(tmp_path / "x.json")
    assert not refused(tmp_path / "nothing")
    assert seals.seal_of(tmp_path / "x.json") is None


def test_removing_a_file_removes_its_seal_and_seals_of_files_that_never_came_are_removed(tmp_path):
    seals.write_text(tmp_path / "x.json", "1")
    seals.write_text(tmp_path / "y.json", "1")
    seals.remove(tmp_path / "x.json")
    (tmp_path / "y.json").unlink()
    seals.remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_was_found_whole_is_not_read_again_until_it_looks_otherwise(tmp_path, monkeypatch):
    folder, read = sealed_folder(tmp_path / "folder"), []
    sha256 = seals._sha256

    def noted(file):
        read.append(file.name)
        return sha256(file)

    monkeypatch.setattr(seals, "_sha256", noted)
    for _ in range(3):
        assert not refused(folder)
    assert read == ["a.txt", "b.txt"]
    (folder / "a.txt").write_text("First")
    assert refused(folder)


def test_a_file_takes_the_place_of_a_folder_and_leaves_no_seal_of_it(tmp_path):
    sealed_folder(tmp_path / "x")
    with atomic.temporary_beside(tmp_path / "x") as temporary:
        temporary.write_text("file")
        seals.publish(temporary, tmp_path / "x", over_folder=True)
    assert not refused(tmp_path / "x")
    sealed_folder(tmp_path / "x")
    assert not refused(tmp_path / "x")
    assert names_in(tmp_path) == ["x"]


def test_a_seal_of_another_user_is_not_taken_for_damage(tmp_path, monkeypatch):
    seals.write_text(tmp_path / "x.json", "1")

    def refused_to_read(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(seals, "content", refused_to_read)
    with pytest.raises(PermissionError):
        seals.check(tmp_path / "x.json", "make it again")


@pytest.mark.parametrize("made", [lambda path: path.mkdir(), sealed_folder], ids=["empty", "another one"])
def test_a_folder_in_the_place_of_a_file_is_damage_unless_it_was_written_there(tmp_path, made):
    seals.write_text(path := tmp_path / "x.parquet", "1")
    path.unlink()
    made(path)
    assert refused(path) == (made is not sealed_folder)


@pytest.mark.parametrize("wrong", [[], "a", {"a": 1}, [None], [{}], [{"files": 5, "made_from": {}}], [{"files": {}}]])
def test_a_seal_of_another_form_is_damaged_though_its_own_hash_fits(tmp_path, wrong):
    seals.write_text(path := tmp_path / "x.json", "1")
    (tmp_path / ".x.json.seal").write_text(json.dumps({"seals": wrong, "sha256": canonical_sha256(wrong)}))
    assert refused(path)


def test_a_seal_that_memory_could_not_hold_is_not_read(tmp_path):
    seals.write_text(path := tmp_path / "x.json", "1")
    (tmp_path / ".x.json.seal").write_text("[" + "[]," * 20_000_000 + "[]]")
    tracemalloc.start()
    try:
        assert refused(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
