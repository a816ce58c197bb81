"""What `kedro run` says in one message instead of a traceback."""

import errno

from ae_pipelines.cli.command import input_error


def test_a_full_disk_is_one_message_that_says_what_to_do():
    error = RuntimeError("a node failed")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device", "a.json")
    assert str(input_error(error)).startswith("[Errno 28] No space left on device: 'a.json': make room, or give")
    assert input_error(OSError(errno.EACCES, "Permission denied")) is None
