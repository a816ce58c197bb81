import numpy as np
import pytest
from PIL import Image

from ae_pipelines.generation.generated import Generated
from ae_pipelines.samples.spec import SampleSpec

LATENTS, CLASSES = np.zeros((2, 3), np.float32), [None, None]


@pytest.mark.parametrize("channels", [1, 3])
def test_new_images_of_16_bits_are_kept_as_stored_and_shown_in_8(channels, tmp_path):
    samples = np.full((2, channels, 4, 5), 2000, np.uint16)
    spec = SampleSpec(shape=samples.shape[1:], dtype="uint16", preprocessing={"range": [1000, 3000]})
    Generated(samples, LATENTS, CLASSES, spec).into(tmp_path / "new")
    np.testing.assert_array_equal(Generated.load(tmp_path / "new").samples, samples)
    shown = [np.asarray(Image.open(path)) for path in (tmp_path / "new").glob("*.png")]
    assert len(shown) == 2
    assert {value for picture in shown for value in picture.ravel().tolist()} == {128}


def test_new_images_of_8_bits_are_shown_as_they_are(tmp_path):
    samples = np.arange(40, dtype=np.uint8).reshape(2, 1, 4, 5)
    Generated(samples, LATENTS, CLASSES, SampleSpec(shape=(1, 4, 5), dtype="uint8")).into(tmp_path / "new")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "new/0001.png")), samples[1, 0])
