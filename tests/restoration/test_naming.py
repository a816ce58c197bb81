import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_pipelines.restoration.naming import FreeNames


def names(*texts, taken=()):
    free = FreeNames(".png", taken)
    return [free.free(text) for text in texts]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["x", "x", "x", "x_2"], ["x", "x_2", "x_3", "x_2_2"]),
        (["a?b", "a:b", "a*b"], ["a_b", "a_b_2", "a_b_3"]),
        (["Sea", "sea"], ["Sea", "sea_2"]),
        (["a", "a.png/b", "a.png/c"], ["a", "a.png_2/b", "a.png_2/c"]),
        (["a.png/b", "a"], ["a.png/b", "a_2"]),
        (["b/a", "c/a", "a"], ["b/a", "c/a", "a"]),
        (["../../out", "/etc/x", "/", "", "."], ["_/_/out", "etc/x", "_", "__2", "__3"]),
        (["_corrupted/a"], ["_corrupted_2/a"]),
    ],
)
def test_every_file_has_a_name_of_its_own_below_the_folder(given, expected):
    assert names(*given, taken=["_corrupted"]) == expected


def test_very_long_names_and_paths_are_cut_and_still_told_apart(tmp_path):
    deep = "/".join(["d" * 250] * 40)
    found = names("ö" * 300, "ö" * 301, deep)
    assert len(set(found)) == 3
    for name in found:
        (path := tmp_path / f"{name}.png").parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_hundred_thousand_files_of_one_name_take_a_moment():
    free = FreeNames(".png")
    assert len({free.free("image") for _ in range(100_000)}) == 100_000


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text("aA/._?\0é", max_size=8), max_size=30))
def test_whatever_is_given_can_be_written_and_nothing_is_overwritten(texts):
    found = [f"{name}.png" for name in names(*texts)]
    assert len({path.casefold() for path in found}) == len(texts)
    folders = {str(folder).casefold() for path in found for folder in _above(path)}
    assert not folders & {path.casefold() for path in found}
    assert all(os.path.normpath(f"/r/{path}") == f"/r/{path}" for path in found)


def _above(path):
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]
