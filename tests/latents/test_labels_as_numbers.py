import numpy as np

from ae_pipelines.latents.labels import Labels

LABELS = Labels.of(["b", None, "a", "b", float("nan"), ""])


def test_labels_are_numbers_of_sorted_names_and_read_as_text():
    assert LABELS.names.tolist() == ["a", "b"]
    assert LABELS.codes.tolist() == [1, -1, 0, 1, -1, -1]
    assert LABELS[:].tolist() == ["b", "", "a", "b", "", ""]
    assert LABELS[np.array([2, 0])].tolist() == ["a", "b"]
    assert LABELS[1] == ""


def test_rows_are_counted_and_picked_by_name():
    assert LABELS.counts().to_dict() == {"a": 1, "b": 2}
    assert LABELS.counts(np.arange(2)).to_dict() == {"b": 1}
    assert LABELS.isin(["b", "c"]).tolist() == [True, False, False, True, False, False]
    assert LABELS.known.tolist() == [True, False, True, True, False, False]


def test_no_labels_at_all():
    none = Labels.of([None, None])
    assert none[:].tolist() == ["", ""]
    assert none.counts().empty
    assert not none.isin([]).any()
