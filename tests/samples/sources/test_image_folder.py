import hashlib
import logging
import os
import shutil
import tempfile
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from making import images
from PIL import Image

from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.source import EncodedSource
from ae_pipelines.samples.sources import SourceChoice, folder_files
from ae_pipelines.samples.sources.folder_files import escaped, unescaped
from ae_pipelines.samples.sources.label_file import read_labels


def png(height=5, width=6, seed=0):
    file = BytesIO()
    Image.fromarray(images(1, (height, width, 3), seed)[0]).save(file, "PNG")
    return file.getvalue()


def jpeg():
    file = BytesIO()
    Image.fromarray(images(1, (5, 6, 3))[0]).save(file, "JPEG")
    return file.getvalue()


def folder(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def source(root, **options):
    return SourceChoice(kind="image_folder", path=root, **options).build()


def example(root, first, last):
    files = {f"{number % 3}/{number:03d}.png": png(seed=number) for number in range(first, last)}
    folder(root, files | {"0/cut.png": png()[:-20], "0/twin.png": png()})
    if not (root / "link.png").is_symlink():
        (root / "link.png").symlink_to("nowhere")
    return source(root, labels="folder")


def everything(root, **options):
    """id → (content, label), and id → reason."""
    blocks = list(source(root, **options).blocks())
    accepted = {
        name: (content.read_bytes(), label)
        for block in blocks
        for name, content, label in zip(block.ids, block.contents, block.labels, strict=True)
    }
    return accepted, {reject.id: reject for block in blocks for reject in block.rejects}


def test_a_folder_is_a_source_that_the_workers_decode(tmp_path):
    found = source(folder(tmp_path, {"a.png": png()}))
    assert isinstance(found, EncodedSource)
    assert found.spec().shape == (3, 5, 6)
    (block,) = found.blocks()
    np.testing.assert_array_equal(
        found.decode(block.contents[0].read_bytes()), images(1, (5, 6, 3))[0].transpose(2, 0, 1)
    )


def test_images_are_found_at_any_depth_in_the_order_of_their_paths(tmp_path):
    files = {"z.png": png(seed=1), "b/c/d/e.jpg": png(seed=2), "b/a.png": png(seed=3), "a/z": png(seed=4)}
    found = source(folder(tmp_path, files))
    assert [name for block in found.blocks() for name in block.ids] == ["a/z", "b/a.png", "b/c/d/e.jpg", "z.png"]
    accepted, rejects = everything(tmp_path)
    assert {name: content for name, (content, _) in accepted.items()} == files
    assert rejects == {}
    assert found.count() == 4


def test_blocks_are_small(tmp_path):
    found = source(folder(tmp_path, {f"{number:03d}.png": b"" for number in range(300)}), size=4, resize="crop")
    assert [len(block.ids) for block in found.blocks()] == [256, 44]
    assert found.count() == 300


def test_what_the_system_leaves_in_folders_is_no_sample(tmp_path):
    others = [".hidden.png", ".git/a.png", "x/Thumbs.db", "desktop.ini", "x/.DS_Store", "labels.csv", "__MACOSX/a.png"]
    accepted, rejects = everything(folder(tmp_path, {"x/a.png": png(), **dict.fromkeys(others, b"?")}))
    assert (list(accepted), rejects) == (["x/a.png"], {})


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(folder(tmp_path, {"a.png": png()}) / "pipe.png")
    assert list(everything(tmp_path)[0]) == ["a.png"]


def test_a_wrong_or_missing_extension_is_accepted_and_counted(tmp_path, caplog):
    folder(tmp_path, {"a.jpg": png(), "b": jpeg(), "c.png": png(), "d.JPEG": jpeg(), "e.txt": b"text"})
    accepted, _ = everything(tmp_path)
    assert list(accepted) == ["a.jpg", "b", "c.png", "d.JPEG"]
    assert "2 files are images of another format than their names say" in caplog.text


def test_a_broken_image_is_given_and_refused_when_decoded(tmp_path):
    found = source(folder(tmp_path, {"a.png": png(), "empty.png": b"", "x.heic": b"text"}))
    (block,) = found.blocks()
    reasons = []
    for content in block.contents[1:]:
        with pytest.raises(Unusable) as fault:
            found.decode(content.read_bytes())
        reasons.append(str(fault.value))
    assert reasons == ["empty file", "not a PNG, JPEG, GIF, BMP, TIFF or WebP image"]


def test_mixed_sizes_are_refused_with_their_counts_before_anything_is_decoded(tmp_path):
    root = folder(tmp_path, {"a.png": png(3, 4), "b.png": png(5, 6), "c.png": png(5, 6), "d.txt": b"text"})
    message = r"2 of 5 x 6 \(such as b.png\), 1 of 3 x 4 \(such as a.png\).*source.size=.*source.resize=crop"
    with pytest.raises(InputError, match=message):
        source(root).spec()
    found = source(root, size=[2, 3], resize="crop", colour="grey").spec()
    assert found.shape == (1, 2, 3)
    assert found.preprocessing["resize"] == "crop"


def test_names_that_are_not_utf8_are_escaped_and_read(tmp_path):
    raw = b"caf\xe9.png"
    with open(os.path.join(os.fsencode(tmp_path), raw), "wb") as file:  # noqa: PTH118, PTH123
        file.write(png())
    folder(tmp_path, {"café.png": png(seed=1), "\\xe9.png": png(seed=2)})
    accepted, _ = everything(tmp_path)
    assert accepted == {
        "caf\\xe9.png": (png(), None),
        "café.png": (png(seed=1), None),
        "\\x5cxe9.png": (png(seed=2), None),
    }
    assert source(tmp_path).spec().shape == (3, 5, 6)


@settings(max_examples=2000, deadline=None)
@given(st.one_of(st.binary(), st.lists(st.sampled_from([b"\\", b"x", b"5c", b"e9", b"\xe9", b"a"])).map(b"".join)))
def test_escaping_is_undone_by_unescaping(name):
    assert unescaped(escaped(name)) == name
    escaped(name).encode()  # is text


@settings(max_examples=2000, deadline=None)
@given(st.text(st.characters(exclude_characters="\\", exclude_categories=["Cs"])))
def test_ordinary_names_stay_as_they_are(name):
    assert escaped(name.encode()) == name


def test_links_are_rejected_and_not_followed_so_that_loops_end(tmp_path, caplog):
    root = folder(tmp_path, {"in/a.png": png()}) / "in"
    (root / "loop").symlink_to(root)
    (root / "link.png").symlink_to("a.png")
    (root / "broken.png").symlink_to("nowhere")
    accepted, rejects = everything(root)
    assert list(accepted) == ["a.png"]
    assert {name: reject.reason for name, reject in rejects.items()} == dict.fromkeys(
        ["broken.png", "link.png", "loop"], "symbolic link, not followed"
    )
    assert rejects["link.png"].sha256 == hashlib.sha256(b"a.png").hexdigest()
    caplog.clear()
    assert source(root).count() == 4
    assert "folders that are links are not followed, so what is in them is left out: loop." in caplog.text


def test_the_folder_itself_may_be_a_link(tmp_path):
    folder(tmp_path / "there", {"a.png": png()})
    (tmp_path / "link").symlink_to("there")
    assert list(everything(tmp_path / "link")[0]) == ["a.png"]


def test_a_huge_file_is_rejected_with_its_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_files, "LARGEST", 100)
    accepted, rejects = everything(folder(tmp_path, {"large.png": b"x" * 101, "small.png": b"x" * 100}))
    assert list(accepted) == ["small.png"]
    assert rejects["large.png"].reason == "larger than 256 MB"
    assert rejects["large.png"].sha256 == hashlib.sha256(b"x" * 101).hexdigest()


@pytest.fixture
def open_folder():
    """A folder that every user may enter, unlike `tmp_path`."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    for path in root.rglob("*"):
        path.chmod(0o755)
    shutil.rmtree(root)


@contextmanager
def as_nobody():
    """Root may read everything, so be someone else."""
    if root := os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_files_and_folders_that_may_not_be_read_are_listed(open_folder):
    folder(open_folder, {"a.png": png(), "b/c.png": png(), "d.png": png(), **{f"e{n}.png": b"" for n in range(10)}})
    for name in ("b", "d.png", *(f"e{n}.png" for n in range(10))):
        (open_folder / name).chmod(0)
    with (
        as_nobody(),
        pytest.raises(InputError, match=r"12 files or folders in .* may not be read: .* and 2 more\. Make") as fault,
    ):
        source(open_folder).spec()
    assert str(fault.value).count(", ") == 10  # ten names, and "or move"
    shutil.rmtree(open_folder / "b")
    for path in open_folder.glob("[de]*.png"):
        path.unlink()
    with as_nobody():
        assert list(everything(open_folder)[0]) == ["a.png"]


def test_a_closed_folder_is_refused(open_folder):
    folder(open_folder, {"in/deep/a.png": png()})
    (open_folder / "in").chmod(0)
    with as_nobody():
        with pytest.raises(InputError, match=r"1 files or folders in .* may not be read: \."):
            source(open_folder / "in").spec()
        with pytest.raises(InputError, match="no folder .*deep"):
            source(open_folder / "in" / "deep").spec()


@pytest.mark.parametrize("files", [None, {}, {".hidden": b""}, {"labels.csv": b"path,label\n"}])
def test_a_missing_or_empty_folder_says_what_to_give(tmp_path, files):
    root = tmp_path / "in"
    if files is not None:
        root.mkdir()
        folder(root, files)
    with pytest.raises(InputError, match="no (folder|images).* source.path=<folder>"):
        source(root, size=4, resize="crop").count()


def test_labels_are_the_first_folders(tmp_path):
    accepted, _ = everything(
        folder(tmp_path, {"cat/a.png": png(), "dog/x/b.png": png(), "c.png": png()}), labels="folder"
    )
    assert {name: label for name, (_, label) in accepted.items()} == {
        "cat/a.png": "cat",
        "dog/x/b.png": "dog",
        "c.png": None,
    }


def test_a_label_file_labels_what_it_lists_and_the_rest_is_counted(tmp_path, caplog):
    table = 'label,path,note\ncat,a/b.png,\n"a, b","c, d.png",x\n,e.png,\ncat,gone.png,\n'.encode("utf-8-sig")
    names = ["a/b.png", "c, d.png", "e.png", "f.png"]
    accepted, _ = everything(folder(tmp_path, {**dict.fromkeys(names, png()), "labels.csv": table}), labels="file")
    assert [label for _, label in accepted.values()] == ["cat", "a, b", None, None]
    assert "2 of 4 files have no label" in caplog.text
    assert "e.png, f.png" in caplog.text
    assert "1 files with a label" in caplog.text
    assert "not there: gone.png" in caplog.text


def test_another_label_file_can_be_named_and_is_no_sample_either(tmp_path):
    folder(tmp_path, {"a.png": png(), "meta/mine.csv": b"path,label\na.png,x\n"})
    assert everything(tmp_path, labels="file", labels_file="meta/mine.csv")[0] == {"a.png": (png(), "x")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "^labels: no file .*labels.csv: give a table with a column path and a column label$"),
        (b"", r"has the columns none, expected one path and one label"),
        (b"name,label\na,b\n", "has the columns name, label, expected"),
        (b"path,label,label\na,b,c\n", "expected one path and one label"),
        (b"path,label\ncaf\xe9,b\n", "expected UTF-8"),
        (b"path,label\na\0,b\n", "NUL"),
        (b'path,label\n"a,b\n', "cannot read .*unexpected end of data"),
        (b"path,label\na,b,c\nd\n", r"2 rows of .* more or fewer than 2 fields, first: \['a', 'b', 'c'\]"),
        (b"path,label\n" + b"a,b\nc,d\n" * 2, "lists 2 files more than once: a, c"),
        (
            b"path,label\n" + b"".join(b"%d,x\n" % (n // 2) for n in range(30)),
            r"15 files more than once: .*8, 9 and 5 more",
        ),
    ],
)
def test_a_bad_label_file_is_refused_with_its_fault(tmp_path, content, message):
    folder(tmp_path, {"a": png()} | ({} if content is None else {"labels.csv": content}))
    with pytest.raises(InputError, match=message):
        next(source(tmp_path, labels="file").blocks())


@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(b"path,label\n".__add__),
        st.lists(st.sampled_from([b"path", b"label", b",", b"\n", b"\r", b'"', b"a", b"\0", b"\xff", b"\xef\xbb\xbf"]))
        .map(b"".join)
        .map(b"path,label\n".__add__),
    )
)
def test_whatever_the_bytes_labels_or_our_own_error_come_out(tmp_path, content):
    (tmp_path / "labels.csv").write_bytes(content)
    try:
        labels = read_labels(tmp_path / "labels.csv")
    except InputError:
        return
    assert all(isinstance(name, str) and label for name, label in labels.items())


def test_a_folder_without_surprises_is_read_in_silence(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    everything(folder(tmp_path, {"cat/a.png": png(), "cat/b.jpg": jpeg()}), labels="folder")
    assert caplog.text == ""


def test_other_limits_give_the_store_of_a_first_ingest_with_them(tmp_path):
    small, large = (png(5, 6, seed=n) for n in range(2))
    photos = folder(tmp_path / "photos", {"a.png": small, "b.png": large, "c.png": png(50, 60)})
    resized, any_share = {"size": [5, 6], "resize": "crop"}, IngestOptions(max_rejected_share=1)
    for limit in (1.0, 0.001):
        grown = write_store(tmp_path / "grown", source(photos, largest_megapixels=limit, **resized), any_share)
    first = write_store(tmp_path / "first", source(photos, largest_megapixels=0.001, **resized), any_share)
    assert grown.id == first.id
    assert grown.rejects["reason"].tolist() == ["more than 0.001 megapixels, by its header"]
