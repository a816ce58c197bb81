import numpy as np
import pytest
from making import files_of_store, images
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.localisation import masked_test_rows, pixel_auroc
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.sources import SourceChoice

SIDE = 12


def mvtec(root, masked=3, **options):
    """Train and test images without fault, and test images with one in rows and columns 2 to 5, which masks tell."""
    pictures = iter(images(20, (SIDE, SIDE, 3)))
    for folder, count in (("train/good", 6), ("test/good", 4), ("test/scratch", 4)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(next(pictures)).save(root / folder / f"{number:03d}.png")
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[2:6, 2:6] = 255
    (root / "ground_truth/scratch").mkdir(parents=True, exist_ok=True)
    for number in range(masked):
        Image.fromarray(mask).save(root / "ground_truth/scratch" / f"{number:03d}_mask.png")
    return SourceChoice(kind="image_folder", path=root, labels="folder", **options).build()


def stored(tmp_path, source):
    return write_store(tmp_path / "store", source, IngestOptions(workers=1))


def test_masks_are_kept_beside_the_samples_they_are_of(tmp_path):
    samples = stored(tmp_path, mvtec(tmp_path / "in"))
    masks = samples.masks()
    assert sorted(masks) == [f"test/scratch/{number:03d}.png" for number in range(3)]
    expected = np.zeros((SIDE, SIDE), bool)
    expected[2:6, 2:6] = True
    for mask in masks.values():
        np.testing.assert_array_equal(mask, expected)


def test_masks_are_resized_as_the_images_are(tmp_path):
    samples = stored(tmp_path, mvtec(tmp_path / "in", size=[6, 6], resize="stretch"))
    expected = np.zeros((6, 6), bool)
    expected[1:3, 1:3] = True
    np.testing.assert_array_equal(next(iter(samples.masks().values())), expected)


def test_a_store_is_named_by_its_masks_too_and_has_none_without_them(tmp_path):
    with_masks = stored(tmp_path, mvtec(tmp_path / "in")).id
    assert stored(tmp_path, mvtec(tmp_path / "in")).id == with_masks
    before = files_of_store(tmp_path / "store")
    (tmp_path / "in/ground_truth/scratch/000_mask.png").unlink()
    fewer = stored(tmp_path, mvtec(tmp_path / "in", masked=0))
    assert fewer.id != with_masks
    assert len(fewer.masks()) == 2
    assert len(files_of_store(tmp_path / "store")) == len(before)


def test_a_broken_mask_is_refused_by_name(tmp_path):
    source = mvtec(tmp_path / "in")
    (tmp_path / "in/ground_truth/scratch/000_mask.png").write_bytes(b"?")
    with pytest.raises(InputError, match="the mask .*000_mask.png cannot be used"):
        stored(tmp_path, source)


@pytest.mark.parametrize("normal_labels", [(), ("good",)])
def test_masked_and_normal_test_images_are_measured(tmp_path, normal_labels):
    samples = stored(tmp_path, mvtec(tmp_path / "in"))
    rows, masks = masked_test_rows(samples, normal_labels)
    found = samples.index.iloc[rows]
    assert found["label"].value_counts().to_dict() == {"good": 4, "scratch": 3}
    assert set(found["split"]) == {"test"}
    np.testing.assert_array_equal(masks.any(axis=(1, 2)), found["label"] == "scratch")


def test_without_masks_nothing_is_measured(tmp_path):
    rows, masks = masked_test_rows(stored(tmp_path, mvtec(tmp_path / "in", masked=0)), ())
    assert (len(rows), len(masks)) == (0, 0)


@pytest.mark.parametrize(("error", "expected"), [(1.0, 1.0), (0.0, 0.5)])
def test_errors_in_the_right_places_tell_pixels_apart(error, expected):
    masks = np.zeros((2, SIDE, SIDE), bool)
    masks[0, 4:7, 4:7] = True
    residuals = np.zeros((2, 3, SIDE, SIDE))
    residuals[0, :, 5, 5] = -error  # blurred over the nine pixels of the mask
    assert pixel_auroc(residuals, masks) == expected
