"""New samples and moving pictures as datasets."""

import base64
import io

import numpy as np
import pytest
from making import names_in
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.generation.generated import Generated
from ae_pipelines.io.generated import FRAME_MILLISECONDS, AnimationDataset, GeneratedDataset

FRAMES = np.stack([np.full((20, 30, 3), level, np.uint8) for level in (0, 100, 200)])


def samples(count: int = 12, channels: int = 3) -> Generated:
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (count, channels, 6, 5), dtype=np.uint8)
    return Generated(values, random.standard_normal((count, 7)).astype(np.float32), [None] * count)


def test_a_moving_picture_has_every_frame_and_goes_on_for_ever(tmp_path):
    dataset = AnimationDataset(filepath=str(tmp_path / "a.gif"))
    dataset.save(FRAMES)
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.n_frames, picture.info["loop"], picture.info["duration"]) == (3, 0, FRAME_MILLISECONDS)
        for number, level in enumerate((0, 100, 200)):
            picture.seek(number)
            assert abs(np.asarray(picture.convert("RGB")).astype(int) - level).max() <= 2


def test_kedro_viz_is_given_the_moving_picture_itself(tmp_path):
    dataset = AnimationDataset(filepath=str(tmp_path / "a.gif"))
    dataset.save(FRAMES)
    assert Image.open(io.BytesIO(base64.b64decode(dataset.preview()))).n_frames == 3


def test_a_failed_save_leaves_the_old_moving_picture(tmp_path):
    dataset = AnimationDataset(filepath=str(tmp_path / "a.gif"))
    dataset.save(FRAMES)
    before = (tmp_path / "a.gif").read_bytes()
    with pytest.raises(Exception, match="Failed while saving"):
        dataset.save(np.zeros((2, 5), np.complex64))
    assert names_in(tmp_path) == ["a.gif"]
    assert (tmp_path / "a.gif").read_bytes() == before


def test_images_one_pixel_high_keep_their_shape(tmp_path):
    for channels, mode in ((1, "L"), (3, "RGB")):
        values = np.zeros((1, channels, 1, 12), np.uint8)
        Generated(values, np.zeros((1, 2), np.float32), [None]).into(tmp_path / mode)
        with Image.open(tmp_path / mode / "0000.png") as picture:
            assert (picture.size, picture.mode) == ((12, 1), mode)


def test_colour_images_have_a_file_each_and_the_preview_names_it(tmp_path):
    dataset = GeneratedDataset(filepath=str(tmp_path / "generated"))
    dataset.save(samples())
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "generated/0007.png")), samples().samples[7].transpose(1, 2, 0)
    )
    preview = dataset.preview()
    assert preview["columns"] == ["file", "class", "latent"]
    assert preview["data"][7][0] == "0007.png"


def test_images_with_other_numbers_of_channels_are_in_the_array_alone(tmp_path):
    dataset = GeneratedDataset(filepath=str(tmp_path / "generated"))
    dataset.save(samples(channels=2))
    assert not list((tmp_path / "generated").glob("*.png"))
    np.testing.assert_array_equal(dataset.load().samples, samples(channels=2).samples)


def test_fewer_new_samples_leave_none_of_the_earlier_ones(tmp_path):
    dataset = GeneratedDataset(filepath=str(tmp_path / "generated"))
    dataset.save(samples(12))
    dataset.save(samples(3))
    assert len(list((tmp_path / "generated").glob("*.png"))) == 3


def test_a_missing_folder_is_said_to_be_missing(tmp_path):
    with pytest.raises(InputError, match="no new samples in .*: run generate first"):
        Generated.load(tmp_path)
