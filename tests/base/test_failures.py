"""What is told of errors that are the machine's."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from ae_pipelines.base import atomic
from ae_pipelines.base.errors import InputError
from ae_pipelines.base.failures import MEMORY, SAID, refusal_in


def told(error):
    found = refusal_in(error)
    return None if found is None else str(found)


def test_a_full_disk_is_one_message_that_says_what_to_do():
    error = RuntimeError("a node failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "a.json")
    assert told(error).startswith(
        "[Errno 28] No space left on device: 'a.json': make room there, or give another data_dir"
    )


def test_a_disk_that_is_full_in_the_middle_of_a_file_is_named_by_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as error, atomic.replacing(tmp_path / "a.json") as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert told(error.value).startswith(f"[Errno 28] No space left on device: '{tmp_path}/a.json': make room there")
    assert list(tmp_path.iterdir()) == []


def written(path):
    with path.open("wb") as file:
        file.write(bytes(100_000))  # and fails again as it is closed


def copied(path):
    raise shutil.Error([("a", str(path), f"[Errno 28] No space left on device: '{path}'")])  # as copytree does


def saved(path):
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise RuntimeError("a dataset failed") from error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("write", [written, copied, saved, np.ones(100_000).tofile])
def test_a_full_disk_is_one_message_with_the_path_whoever_writes_in_a_folder(tmp_path, write):
    with pytest.raises((OSError, RuntimeError)) as error, atomic.replacing_folder(tmp_path / "a") as temporary:
        (temporary / "b").symlink_to("/dev/full")
        write(temporary / "b")
    said = told(error.value)
    assert "make room there" in said
    assert str(tmp_path) in said
    assert "\n" not in said


@pytest.mark.parametrize("number", sorted(SAID))
def test_every_system_error_of_the_table_is_one_sentence_that_names_the_path(number):
    said = told(OSError(number, os.strerror(number), "/there/a.json"))
    assert "/there/a.json" in said
    assert said.endswith(SAID[number])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(sqlite3.OperationalError) database or disk is full\n[SQL: INSERT INTO runs]", "make room there"),
        ("(sqlite3.OperationalError) attempt to write a readonly database", "it can only be read"),
        ("(sqlite3.OperationalError) unable to open database file", "this user may not do that"),
        ("(sqlite3.OperationalError) disk I/O error", "the disk fails"),
        ("(sqlite3.OperationalError) database is locked", "another process holds it"),
        ('Error while serializing: IoError(Os { code: 28, message: "No space left on device" })', "make room there"),
        ("1000 requested and 500 written", "make room there"),
        ("[enforce fail at inline_container.cc:664] . unexpected pos 64 vs 0", "if the disk is full, make room"),
        ("CUDA out of memory. Tried to allocate 2.00 GiB", MEMORY),
        ("codec configuration error when writing image file", f"if memory is short, {MEMORY}"),
        ("libtorch_cpu.so: failed to map segment from shared object", MEMORY),
        ("can't start new thread", "too much runs at once"),
    ],
)
def test_what_libraries_say_in_errors_of_their_own_is_understood(text, what):
    said = told(RuntimeError(text))
    assert said.startswith(text.partition("\n")[0].rstrip("."))
    assert what in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "ask",
    [
        lambda: np.empty((1 << 50,)),
        lambda: torch.empty(1 << 50),
        lambda: pa.allocate_buffer(1 << 60),
        lambda: bytearray(1 << 60),
    ],
    ids=["numpy", "torch", "pyarrow", "python"],
)
def test_no_memory_is_one_sentence_whoever_wanted_it(ask):
    with pytest.raises((MemoryError, RuntimeError)) as error:
        ask()
    assert told(error.value).endswith(MEMORY)


@pytest.mark.parametrize("error", [KeyError("a"), TypeError("no space"), FileNotFoundError(2, "No such file", "a")])
def test_other_errors_are_left_to_their_traceback(error):
    assert refusal_in(error) is None


def test_bad_input_is_told_before_what_it_caused():
    outer = OSError(errno.ENOSPC, "No space left on device")
    inner = InputError("the reason")
    wrapped = RuntimeError("a dataset failed")
    wrapped.__cause__ = inner
    inner.__context__ = outer
    assert refusal_in(wrapped) is inner
