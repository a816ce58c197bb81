import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.corruptions.greyscale import Greyscale
from ae_pipelines.samples.spec import SampleSpec


def test_greyscale_is_the_luma_of_pillow():
    photo = load_sample_image("flower.jpg").copy()
    ours = Greyscale()(torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255, None)[0, 0]
    pillows = np.asarray(Image.fromarray(photo).convert("L"), np.float32)
    np.testing.assert_allclose(ours.numpy() * 255, pillows, atol=0.501)


def test_white_stays_white():
    assert Greyscale()(torch.ones(1, 3, 2, 2), None).unique().tolist() == [1.0]


@pytest.mark.parametrize("shape", [(1, 8, 8), (4, 8, 8), (3,)])
def test_images_without_three_channels_are_refused(shape):
    with pytest.raises(InputError, match=rf"greyscale takes images of 3 channels, given \({shape[0]}, ?"):
        Greyscale().corrupted_spec(SampleSpec(shape=shape, dtype="uint8"))
