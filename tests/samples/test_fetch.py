"""Public sets come from a server on this machine: nothing here reaches a network."""

import gzip
import hashlib
import os
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import filelock
import numpy as np
import pytest
from making import IMAGES, LABELS, idx, mnist_folder

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.fetch import CHUNK_BYTES, PUBLIC, UNFINISHED, PublicSet, public_set
from ae_pipelines.samples.sources.idx import IdxFolder

CONTENT = np.random.default_rng(0).bytes(5 * CHUNK_BYTES + 123)


class Mirror:
    """A server of some files that cuts its first answers as it is told, and remembers what it was asked for."""

    def __init__(self, files, cuts=()):
        self.files, self.cuts = files, list(cuts)
        self.asked = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.answer(self)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def answer(self, request):
        self.asked.append(request.path.removeprefix("/"))
        content = self.files.get(self.asked[-1])
        if content is None:
            request.send_error(404)
        else:
            request.send_response(200)
            request.send_header("Content-Length", str(len(content)))
            request.send_header("Content-Encoding", "x-gzip")  # as Apache says of .gz files
            request.end_headers()
            request.wfile.write(content[: self.cuts.pop(0) if self.cuts else None])

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def mirror(monkeypatch):
    """Start a mirror with `a.gz` or other files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    started = []

    def start(files=None, **behaviour):
        started.append(Mirror({"a.gz": CONTENT} if files is None else files, **behaviour))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def down(mirror):
    """The address of a mirror that is not there any more."""
    gone = Mirror({})
    gone.stop()
    return gone


@pytest.fixture
def waits(monkeypatch):
    """Seconds that were to be waited for; none are."""
    seconds = []
    monkeypatch.setattr("pooch.core.time.sleep", seconds.append)
    return seconds


def public(*mirrors, content=CONTENT, retries=0):
    checksums = {"a.gz": f"md5:{hashlib.md5(content).hexdigest()}"}
    return PublicSet("letters", checksums, tuple(mirror.url for mirror in mirrors), retries)


def visible(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "letters"


def test_a_file_is_fetched_into_a_new_folder(mirror, folder):
    path = public(mirror()).fetch("a.gz", folder)
    assert path == folder / "a.gz"
    assert path.read_bytes() == CONTENT
    assert visible(folder) == ["a.gz"]


def test_a_file_that_is_there_is_taken_as_it_is(mirror, folder):
    folder.mkdir()
    (folder / "a.gz").write_bytes(b"compressed anew")
    server = mirror()
    assert public(server).fetch("a.gz", folder).read_bytes() == b"compressed anew"
    assert server.asked == []


def test_a_fetched_file_can_be_read_by_whom_the_umask_allows(mirror, folder):
    before = os.umask(0o022)
    try:
        assert public(mirror()).fetch("a.gz", folder).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_a_file_is_kept_as_it_is_sent_also_where_that_is_called_an_encoding(mirror, folder):
    zipped = gzip.compress(CONTENT)
    assert public(mirror({"a.gz": zipped}), content=zipped).fetch("a.gz", folder).read_bytes() == zipped


def test_after_a_wrong_checksum_the_next_mirror_is_asked(mirror, folder):
    wrong, right = mirror({"a.gz": CONTENT[:-1] + b"x"}), mirror()
    assert public(wrong, right).fetch("a.gz", folder).read_bytes() == CONTENT
    assert (wrong.asked, right.asked) == (["a.gz"], ["a.gz"])


def test_a_file_with_a_wrong_checksum_does_not_stay(mirror, folder):
    with pytest.raises(InputError, match=r"no a.gz in .*letters, and it could not be fetched .*/a.gz: wrong checksum"):
        public(mirror({"a.gz": b"something else"})).fetch("a.gz", folder)
    assert visible(folder) == []


def test_a_cut_transfer_is_tried_again_after_longer_and_longer_waits(mirror, folder, waits):
    server = mirror(cuts=[3 * CHUNK_BYTES, CHUNK_BYTES])
    assert public(server, retries=2).fetch("a.gz", folder).read_bytes() == CONTENT
    assert server.asked == ["a.gz"] * 3
    assert waits == [1, 2]


def test_cut_each_time_the_next_mirror_is_asked(mirror, folder, waits):
    cutting, whole = mirror(cuts=[CHUNK_BYTES, 0]), mirror()
    assert public(cutting, whole, retries=1).fetch("a.gz", folder).read_bytes() == CONTENT
    assert len(cutting.asked) == 2


def test_of_a_cut_transfer_nothing_stays(mirror, folder):
    with pytest.raises(InputError, match=r"/a.gz: cut short"):
        public(mirror(cuts=[CHUNK_BYTES])).fetch("a.gz", folder)
    assert list(folder.iterdir()) == [folder / ".lock"]


def test_what_a_killed_run_left_is_removed(mirror, folder):
    (folder / UNFINISHED).mkdir(parents=True)
    (folder / UNFINISHED / "tmp1234").write_bytes(CONTENT[:1000])
    assert public(mirror()).fetch("a.gz", folder).read_bytes() == CONTENT
    assert sorted(path.name for path in folder.iterdir()) == [".lock", "a.gz"]


def test_a_mirror_that_does_not_have_it_is_passed_over(mirror, folder):
    assert public(mirror({}), mirror()).fetch("a.gz", folder).read_bytes() == CONTENT


def test_with_every_mirror_down_the_error_says_what_to_put_where(mirror, down, folder):
    with pytest.raises(InputError) as raised:
        public(mirror({}), down).fetch("a.gz", folder)
    message = str(raised.value)
    assert "/a.gz: 404 Not Found; " in message
    assert f"{down.url}a.gz: no connection" in message
    assert f"download it to {folder / 'a.gz'}, or give another folder" in message
    assert visible(folder) == []


def test_nothing_is_fetched_below_a_folder_that_is_not_there(mirror, tmp_path):
    server = mirror()
    with pytest.raises(InputError, match=r"no folder .*mistyped: create it, or give another folder"):
        public(server).fetch("a.gz", tmp_path / "mistyped" / "letters")
    assert server.asked == []
    assert not (tmp_path / "mistyped").exists()


def test_the_default_folder_is_made_when_it_is_missing(mirror, tmp_path):
    assert public(mirror()).fetch("a.gz", tmp_path / "data" / "01_raw" / "letters").is_file()


def test_two_runs_do_not_fetch_into_one_folder_at_once(mirror, folder):
    folder.mkdir()
    server = mirror()
    with filelock.FileLock(folder / ".lock"), pytest.raises(InputError, match="another run is fetching letters into"):
        public(server).fetch("a.gz", folder)
    assert server.asked == []


def test_a_folder_that_cannot_be_written_is_named(mirror, folder):
    folder.write_text("a file")
    with pytest.raises(InputError, match=r"cannot write .*letters/a.gz .*or give another folder"):
        public(mirror()).fetch("a.gz", folder)


def test_an_idx_folder_fetches_only_what_is_in_neither_spelling(mirror, tmp_path):
    mnist_folder(tmp_path / "mnist")
    files = {path.name: path.read_bytes() for path in (tmp_path / "mnist").iterdir()}
    (tmp_path / "mnist" / "train-labels-idx1-ubyte.gz").unlink()
    (tmp_path / "mnist" / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    (tmp_path / "mnist" / "train-images-idx3-ubyte.gz").unlink()
    server = mirror(files)
    md5 = {name: f"md5:{hashlib.md5(content).hexdigest()}" for name, content in files.items()}
    source = IdxFolder(path=tmp_path / "mnist", name="mnist", fetch=replace(public(server), files=md5))
    assert server.asked == []
    np.testing.assert_array_equal(next(source.blocks()).values[:, 0], IMAGES)
    assert server.asked == ["train-images-idx3-ubyte.gz"]
    assert gzip.decompress((tmp_path / "mnist" / "train-images-idx3-ubyte.gz").read_bytes()) == idx(IMAGES)


def test_every_file_of_a_public_set_has_a_checksum_and_every_mirror_is_a_folder():
    for one in PUBLIC.values():
        assert all(len(bytes.fromhex(checksum.removeprefix("md5:"))) == 16 for checksum in one.files.values())
        assert all(url.startswith("http") and url.endswith("/") for url in one.mirrors)


def test_an_unknown_public_set_is_refused():
    with pytest.raises(InputError, match="no public set called 'mnits'; .*Did you mean 'mnist'"):
        public_set("mnits")
