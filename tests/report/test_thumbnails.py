import io
from pathlib import Path

import numpy as np
import pytest
from made_contents import store_of
from PIL import Image

from ae_pipelines.report.page_data.sparklines import sparklines
from ae_pipelines.report.page_data.thumbnails import LOSSLESS, Step, Thumbnailer, Thumbnails, steps
from ae_pipelines.samples.spec import SampleSpec


def made(folder: Path, values: np.ndarray, step: Step) -> Thumbnails:
    samples = store_of(folder, values)
    return Thumbnailer(samples, np.arange(len(samples))).make(step)


def picture_of(thumbnails: Thumbnails, place: int) -> np.ndarray:
    """The image of a sample, (height, width, channels)."""
    about = thumbnails.about()
    sheet = np.asarray(Image.open(io.BytesIO(thumbnails.sheets[place // about["on_a_sheet"]])).convert("RGB"))
    line, column = divmod(place % about["on_a_sheet"], about["across"])
    width, height = about["width"], about["height"]
    return sheet[line * height : (line + 1) * height, column * width : (column + 1) * width]


def test_small_images_are_kept_as_they_are(tmp_path: Path):
    values = np.random.default_rng(0).integers(0, 256, (2500, 1, 10, 20), dtype=np.uint8)

    thumbnails = made(tmp_path, values, Step(20, 10, LOSSLESS))

    assert len(thumbnails.sheets) == 1
    for place in (0, 49, 50, 2499):
        np.testing.assert_array_equal(picture_of(thumbnails, place)[:, :, 0], values[place, 0])


def test_a_sheet_that_is_full_is_followed_by_another(tmp_path: Path):
    values = np.random.default_rng(0).integers(0, 256, (230, 3, 16, 16), dtype=np.uint8)
    step = Step(64, 64, 80)

    thumbnails = made(tmp_path, values, step)

    assert step.on_a_sheet == 15 * 15
    assert len(thumbnails.sheets) == 2
    assert picture_of(thumbnails, 229).shape == (64, 64, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_an_image_with_neither_one_nor_three_channels_shows_its_first(tmp_path: Path, channels: int):
    values = np.random.default_rng(0).integers(0, 256, (3, channels, 8, 8), dtype=np.uint8)

    shown = picture_of(made(tmp_path, values, Step(8, 8, LOSSLESS)), 1)

    expected = values[1] if channels == 3 else values[1, :1].repeat(3, axis=0)
    np.testing.assert_array_equal(shown, expected.transpose(1, 2, 0))


def test_images_of_16_bits_are_shown_by_their_range(tmp_path: Path):
    values = np.zeros((2, 1, 8, 8), np.uint16)
    values[1, 0, :4], values[1, 0, 4:] = 65_535, 32_768

    shown = picture_of(made(tmp_path, values, Step(8, 8, LOSSLESS)), 1)[:, :, 0]

    assert shown[0, 0] == 255
    assert shown[7, 7] == 128


def test_images_of_floats_are_shown_between_their_extremes(tmp_path: Path):
    values = np.random.default_rng(0).normal(0, 50, (40, 1, 8, 8)).astype(np.float32)
    shown = picture_of(made(tmp_path, values, Step(8, 8, LOSSLESS)), 3)[:, :, 0]
    dark, light = values[3, 0] < -120, values[3, 0] > 120
    assert (shown[dark] <= 20).all()
    assert (shown[light] >= 235).all()
    assert np.corrcoef(shown.ravel(), values[3, 0].ravel())[0, 1] > 0.98


def test_each_step_takes_fewer_bytes_than_the_one_before(tmp_path: Path):
    ramp = np.linspace(0, 200, 28)
    noise = np.random.default_rng(0).normal(0, 20, (300, 1, 28, 28))
    samples = store_of(tmp_path, (ramp + noise).clip(0, 255).astype(np.uint8))
    maker = Thumbnailer(samples, np.arange(300))
    sizes = [maker.estimate(step) for step in steps(samples.spec)]
    assert sizes[0] > 3 * sizes[-1]
    assert maker.estimate(steps(samples.spec)[2]) == maker.make(steps(samples.spec)[2]).size


def test_images_keep_their_proportions_at_every_step():
    for step in steps(SampleSpec(shape=(3, 60, 240), dtype="uint8")):
        assert step.width == 4 * step.height
        assert step.width <= 128


def test_lines_of_a_series_show_each_channel_between_the_same_ends(tmp_path: Path):
    time = np.linspace(0, 2 * np.pi, 200)
    values = np.stack([np.stack([np.sin(time * one), np.cos(time * one)]) for one in range(1, 21)]).astype(np.float32)
    samples = store_of(tmp_path, values)

    lines = sparklines(samples, np.arange(20), most_bytes=20 * 2 * 48 * 4 / 3)

    assert lines.values.shape == (20, 2, 48)
    decoded = lines.values / 255 * (lines.high - lines.low) + lines.low
    piece = values[3, 1, 200 * 5 // 48 : 200 * 6 // 48].mean()
    assert abs(decoded[3, 1, 5] - piece) < 0.01


def test_a_short_vector_is_a_line_with_all_of_its_values(tmp_path: Path):
    values = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    lines = sparklines(store_of(tmp_path, values), np.arange(50), most_bytes=1e6)
    assert lines.values.shape == (50, 1, 6)
