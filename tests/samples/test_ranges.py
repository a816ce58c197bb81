import logging
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.ranges import UsedValues, ranged
from ae_pipelines.samples.sources import SourceChoice
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.samples.splits import split_by_content


def spec(dtype="uint16", **preprocessing):
    return SampleSpec(shape=(1, 4, 5), dtype=dtype, preprocessing=preprocessing)


def settled(values, given, splits=None):
    used = UsedValues(given)
    used.add(values, splits or ["train"] * len(values))
    return used.settled()


def images(count, low, high, dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(low, high, (count, 1, 4, 5), dtype, endpoint=True)


# -- values as a model gets them ---------------------------------------------------------------------------------


def test_the_range_becomes_0_to_1_and_what_is_beyond_is_cut():
    values = np.array([0, 100, 150, 200, 300, 65_535], np.uint16)
    assert spec(range=[100, 300]).as_input(values).tolist() == [0, 0, 0.25, 0.5, 1, 1]


def test_without_a_range_images_use_all_values():
    found = spec("uint8").as_input(np.arange(256, dtype=np.uint8))
    np.testing.assert_array_equal(found, np.arange(256, dtype=np.float32) * np.float32(1 / 255))
    assert spec("uint16").as_input(np.array([0, 65_535], np.uint16)).tolist() == [0, 1]


@given(st.integers(0, 65_000), st.integers(1, 500))
def test_what_is_stored_of_an_input_is_what_it_was_made_of(low, width):
    there = spec(range=[low, low + width])
    values = np.arange(low, low + width + 1, dtype=np.uint16)
    found = there.as_stored(there.as_input(values))
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, values)


def test_pictures_show_the_range_in_8_bits():
    assert spec(range=[100, 300]).as_picture(np.array([0, 100, 200, 300, 999], np.uint16)).tolist() == [
        *(0, 0, 128, 255, 255)
    ]
    same = np.arange(256, dtype=np.uint8)
    assert spec("uint8").as_picture(same) is same


# -- which range it is -------------------------------------------------------------------------------------------


def test_the_range_of_data_are_quantiles_of_the_train_splits_pixels():
    values = images(600, 0, 4095, seed=3)
    splits = [["train", "train", "test"][row % 3] for row in range(600)]
    values[2::3] = 60_000
    found = settled(values, spec(range="data"), splits)
    train = values[np.array(splits) == "train"]
    expected = np.quantile(train, [0.001, 0.999], method="inverted_cdf")
    assert found.range == tuple(expected)


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=30), st.integers(1, 7))
def test_the_range_of_data_does_not_depend_on_blocks_and_holds_at_least_one_step(values, size):
    stored = np.repeat(np.array(values, np.uint16), 20).reshape(-1, 1, 4, 5)
    used = UsedValues(spec(range="data"))
    for start in range(0, len(stored), size):
        used.add(stored[start : start + size], ["train"] * len(stored[start : start + size]))
    found = used.settled()
    assert found == settled(stored, spec(range="data"))
    low, high = found.range
    assert low == min(values)
    assert high == max(max(values), low + 1)


def test_a_range_of_hardly_any_bright_pixels_holds_them():
    values = np.full((500, 1, 4, 5), 7, np.uint16)
    values[3, 0, 0, 0] = 900
    assert settled(values, spec(range="data")).range == (7, 900)


def test_without_train_pixels_there_is_no_range_to_find():
    with pytest.raises(InputError, match="no image is in the train split.*source.range=full"):
        settled(images(3, 0, 9), spec(range="data"), ["test"] * 3)


def test_16_bits_have_the_range_of_the_data_unless_another_is_given():
    assert ranged(spec(), None).preprocessing == {"range": "data"}
    assert ranged(spec(), "full").range == (0, 65_535)
    assert ranged(spec(), (3, 7)).range == (3, 7)
    assert ranged(spec("uint8"), None) == ranged(spec("uint8"), "full") == spec("uint8")
    assert ranged(spec("uint8"), "data").preprocessing == {"range": "data"}


@pytest.mark.parametrize("given", ["wide", "12", [5], [5, 5], [9, 3], [-1, 3], 7, [0, "nan"], [0, float("inf")]])
def test_a_range_that_is_none_is_refused(given, tmp_path):
    with pytest.raises(InputError, match="range: given .* expected full, data, or two stored values, the lower first"):
        SourceChoice(kind="array", path=tmp_path / "x.npy", layout="NHW", range=given).build()


@pytest.mark.parametrize(("dtype", "high"), [("uint8", 4095), ("uint16", 70_000)])
def test_a_range_beyond_what_images_can_hold_is_refused(dtype, high, tmp_path):
    np.save(tmp_path / "x.npy", images(9, 0, 9, dtype))
    source = SourceChoice(kind="array", path=tmp_path / "x.npy", layout="NCHW", range=[0, high]).build()
    largest = np.iinfo(dtype).max
    with pytest.raises(InputError, match=rf"range=\[0,{high}\] ends above {largest}, the largest value of {dtype}"):
        source.spec()
    assert ranged(spec(dtype), (1, largest)).range == (1, largest)
    trained = spec(dtype, range=[0, high])  # of a model of an earlier version, or of other images
    assert source.like(trained).spec().range == (0, high)


def test_another_range_needs_no_decoding_again_and_makes_another_store():
    first, second = (spec(range=given) for given in ([0, 100], [0, 200]))
    assert first.decoded == second.decoded == spec().decoded
    assert first.preprocessing_sha256 != second.preprocessing_sha256


def test_the_store_says_the_range_in_numbers(tmp_path):
    values = images(200, 40, 4000)
    np.save(tmp_path / "x.npy", values)
    source = SourceChoice(kind="array", path=tmp_path / "x.npy", layout="NCHW").build()
    store = write_store(tmp_path / "store", source)
    train = np.array([split_by_content(sha) == "train" for sha in store.index["sha256"]])
    expected = np.quantile(values[train], [0.001, 0.999], method="inverted_cdf").tolist()
    assert store.manifest.spec.preprocessing["range"] == expected


# -- what is said of it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "given", "said"),
    [
        (images(9, 0, 11, np.uint8), spec("uint8"), "values are 0 to 11, which is 4.7 % of the range of 0 to 255"),
        (images(9, 0, 1, np.uint8), spec("uint8"), "values are 0 to 1, .*source.range=data"),
        (images(9, 100, 2000), spec(range=[0, 65_535]), "values are 1?[0-9]{2} to [0-9]+, which is 2.9 %"),
        (images(9, 0, 2000), spec(range=[0, 1000]), "[45][0-9].[0-9] % of the pixels lie outside"),
    ],
)
def test_a_range_that_does_not_suit_the_values_is_a_warning_with_the_remedy(values, given, said, caplog):
    settled(values, given)
    assert re.search(said, caplog.text), caplog.text


@pytest.mark.parametrize(
    ("values", "given"),
    [
        (images(9, 0, 1, np.uint8) * 255, spec("uint8")),
        (images(9, 0, 12, np.uint8), spec("uint8")),
        (images(9, 0, 11, np.uint8), spec("uint8", range="data")),
        (images(9, 0, 11, np.uint8), spec("uint8", range=[0, 11])),
        (images(99, 0, 4095), spec(range="data")),
        (images(99, 0, 4095), spec(range=[0, 4090])),
        (np.zeros((0, 1, 4, 5), np.uint16), spec(range=[0, 9])),
    ],
)
def test_values_that_suit_their_range_are_no_warning(values, given, caplog):
    settled(values, given)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_rare_bright_pixels_far_above_the_range_are_told(caplog):
    values = images(600, 0, 4095)
    values[5, 0, 0, 0] = 65_535
    settled(values, spec(range="data"))
    assert (
        "up to 65535, and are cut to it: if they are no faults of a camera, give source.range=[0,65535]" in caplog.text
    )
