import logging

import numpy as np
import pytest

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.standardise import Standardisation, fit, stored_of


def columns(count, scale=(1.0, 30.0, 1e-3), offset=(0.0, 1e4, -5.0), seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3)) * scale + offset


def in_blocks(values, splits, size):
    for start in range(0, len(values), size):
        yield values[start : start + size], splits[start : start + size]


def test_train_rows_get_mean_zero_and_variance_one_in_every_column():
    values = columns(1000)
    splits = ["test" if row % 5 == 0 else "train" for row in range(1000)]
    found = fit(in_blocks(values, splits, 64), "abc").apply(values)
    train = found[np.array(splits) == "train"].astype(np.float64)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(train.var(0), 1, atol=1e-5)
    assert found.dtype == np.float32


def test_statistics_are_numpys_own_over_the_train_rows_only():
    values = columns(300)
    values[::7] = 1e9  # test rows, which must not count
    splits = ["test" if row % 7 == 0 else "train" for row in range(300)]
    found = fit(in_blocks(values, splits, 41), "abc")
    train = values[np.array(splits) == "train"]
    np.testing.assert_allclose(found.mean, train.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.standard_deviation, train.std(0), rtol=1e-10)


@pytest.mark.parametrize("size", [1, 7, 299, 1000])
def test_the_size_of_the_blocks_does_not_matter(size):
    values, splits = columns(300), ["train"] * 300
    expected = fit([(values, splits)], "abc")
    found = fit(in_blocks(values, splits, size), "abc")
    np.testing.assert_allclose(found.mean, expected.mean, rtol=1e-12)
    np.testing.assert_allclose(found.standard_deviation, expected.standard_deviation, rtol=1e-9)


def test_images_are_standardised_by_channel():
    values = np.random.default_rng(0).normal(size=(50, 2, 4, 3)) * [[[3.0]], [[0.1]]] + [[[7.0]], [[-2.0]]]
    found = fit([(values, ["train"] * 50)], ["red", "green"])
    np.testing.assert_allclose(found.mean, values.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(found.standard_deviation, values.std((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(
        found.apply(values)[:, 1], (values[:, 1] - values[:, 1].mean()) / values[:, 1].std(), rtol=1e-5, atol=1e-6
    )


def test_float32_is_computed_in_float64_first():
    values = (1e8 + 8 * np.arange(10)[:, None]).astype(np.float32)  # exact in float32, and 8 is one step there
    found = fit([(values, ["train"] * 10)], "a").apply(values)
    np.testing.assert_allclose(found[:, 0], (np.arange(10) - 4.5) / np.arange(10).std(), rtol=1e-6)


def test_a_constant_column_becomes_zero_and_is_named_in_a_warning(caplog):
    values = columns(100)
    values[:, 1] = 0.1
    with caplog.at_level(logging.WARNING):
        found = fit(in_blocks(values, ["train"] * 100, 9), ["a", "b", "c"])
    assert caplog.messages == ["constant over the train rows, so they become 0: 'b'"]
    assert found.standard_deviation[1] == 1
    np.testing.assert_allclose(found.apply(values)[:, 1], 0, atol=1e-15)


def test_only_the_first_ten_constant_columns_are_named(caplog):
    values = np.hstack([np.arange(5.0)[:, None], np.ones((5, 12))])
    with caplog.at_level(logging.WARNING):
        fit([(values, ["train"] * 5)], [f"c{number}" for number in range(13)])
    assert caplog.messages[0].endswith("'c9', 'c10' and 2 more")


def test_a_column_of_deviation_one_is_not_taken_for_constant(caplog):
    fit([(np.array([[-1.0], [1.0]]), ["train"] * 2)], "a")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("values", "splits", "message"),
    [
        (np.ones((9, 3)), ["train"] * 9, "all of the 3 columns are constant over the 9 train rows"),
        (columns(9), ["test"] * 9, "no usable row is in the train split"),
        (columns(9)[:0], [], "no usable row is in the train split"),
        (columns(9) * [1, 1e300, 1], ["train"] * 9, "the variance of 'b' is more than float64 can hold"),
    ],
)
def test_what_cannot_be_standardised_is_refused(values, splits, message):
    with pytest.raises(InputError, match=message):
        fit([(values, splits)], "abc")


def test_none_leaves_values_as_they_are():
    values = columns(20).astype(np.float32)
    np.testing.assert_array_equal(Standardisation.none(3).apply(values), values)


def test_the_record_is_plain_numbers():
    found = fit([(columns(20), ["train"] * 20)], "abc").record()
    assert set(found) == {"mean", "standard_deviation"}
    assert all(type(number) is float for numbers in found.values() for number in numbers)


def test_a_store_holds_numbers_standardised_as_recorded_and_images_as_they_are():
    fitted, raw = Standardisation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0, 0.1])), columns(20)
    numbers = SampleSpec(shape=(3,), dtype="float32")
    standardised = numbers.model_copy(update={"preprocessing": {"columns": ["a", "b", "c"], **fitted.record()}})
    np.testing.assert_array_equal(stored_of(raw, standardised), fitted.apply(raw))
    np.testing.assert_array_equal(stored_of(raw, numbers), raw.astype(np.float32))
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 3, 2, 2)
    assert stored_of(pixels, SampleSpec(shape=(3, 2, 2), dtype="uint8")) is pixels
