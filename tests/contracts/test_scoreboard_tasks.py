"""What every registered task of the scoreboard must do, with its defaults, on latents of digits."""

import json

import numpy as np
import pytest
from making import ArraySource

from ae_pipelines.base.errors import InputError
from ae_pipelines.comparison.scoreboard.tasks import TASKS, TaskChoice
from ae_pipelines.latents.file import LatentsInMemory
from ae_pipelines.samples.ingest import write_store

ROWS = slice(0, 1500)


class Encoded:
    """The same latents, whatever the encoder has learned from."""

    def __init__(self, latents, labelled=True, errors=True):
        self._vectors, self._metadata = np.array(latents.vectors[ROWS]), latents.metadata
        self._table = latents.table.iloc[ROWS].reset_index(drop=True)
        if not labelled:
            self._table["label"] = None
        if not errors:
            self._table = self._table.drop(columns=["reconstruction_error", "blurred_error"])
        self.classes = tuple(sorted(latents.table["label"].unique()))

    def latents(self, normal_labels=()):
        metadata = self._metadata | {"normal_labels": json.dumps(normal_labels)}
        return LatentsInMemory(self._table.copy(), self._vectors, metadata)


@pytest.fixture(scope="module", params=TASKS.kinds())
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def task(kind):
    return TaskChoice(kind=kind).build()


@pytest.fixture(scope="module")
def numbers(task, embedded):
    return task(Encoded(embedded), 0)


def test_numbers_by_name_are_finite(numbers):
    assert numbers
    assert all(isinstance(name, str) and np.isfinite(number) for name, number in numbers.items())


def test_it_names_its_numbers_before_it_gives_them(task, numbers):
    assert task.metrics
    assert {*task.metrics} <= numbers.keys()


def test_the_same_seed_gives_the_same_numbers_and_latents_stay_as_they_are(task, numbers, embedded):
    encoded = Encoded(embedded)
    assert task(encoded, 0) == pytest.approx(numbers, rel=1e-6)
    np.testing.assert_array_equal(encoded.latents().vectors, embedded.vectors[ROWS])


def test_latents_without_a_decoder_give_numbers_or_none(task, numbers, embedded):
    found = task(Encoded(embedded, errors=False), 0)
    assert found.keys() == (set() if task.decodes else numbers.keys())
    assert all(map(np.isfinite, found.values()))


def test_labelled_samples_serve(task, digits):
    task.check_samples(digits)
    assert 0 < task.judged_rows(digits) <= len(digits)


def test_samples_without_labels_serve_or_are_refused_before_training(task, numbers, digits, embedded, tmp_path):
    try:
        task.check_samples(write_store(tmp_path, ArraySource(digits.read())))
    except InputError:
        return
    assert task(Encoded(embedded, labelled=False), 0).keys() == numbers.keys()


def test_it_says_what_it_learns_from(task):
    assert isinstance(task.transductive, bool)
    assert isinstance(task.teaches, bool)
    assert task.components is None or task.components > 0
