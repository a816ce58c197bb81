"""Notes about runs."""

import pytest

from ae_pipelines.io.atomic_datasets import NotesDataset


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        ('{"fit": {"a": "1"}}', {"fit": {"a": "1"}}),
        ('{"fit": {"a": "1"}, "embed": ["x"]}', {"fit": {"a": "1"}}),
        ('{"fit": {"a"', {}),
        ("[]", {}),
    ],
)
def test_what_is_damaged_is_left_out_and_ends_no_report(tmp_path, content, notes):
    (tmp_path / "given.json").write_text(content)
    assert NotesDataset(filepath=str(tmp_path / "given.json")).load() == notes
