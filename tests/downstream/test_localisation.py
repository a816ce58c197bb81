from io import BytesIO

import numpy as np
import pytest
from making import files_of_store, images
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.downstream.localisation import masked_test_rows, pixel_auroc
from ae_pipelines.samples.image_options import ImageOptions
from ae_pipelines.samples.images import ImageDecoder
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.masks import MaskDecoder
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


def png(values):
    file = BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


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


def test_a_linked_mask_is_refused_by_name(tmp_path):
    source = mvtec(tmp_path / "in")
    (tmp_path / "in/ground_truth/scratch/003_mask.png").symlink_to("000_mask.png")
    with pytest.raises(InputError, match=r"the mask .*003_mask.png cannot be used \(symbolic link"):
        stored(tmp_path, source)


def put(root, name, mask):
    path = root / "in/ground_truth/scratch" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(mask).save(path)


def upper(value, side=SIDE):
    """A mask of the upper half."""
    mask = np.zeros((side, side), np.asarray(value).dtype)
    mask[: side // 2] = value
    return mask


@pytest.mark.parametrize("colour", ["rgb", "grey"])
@pytest.mark.parametrize("value", [np.uint8(1), np.uint8(255), np.uint16(1), np.bool_(1)])
def test_whatever_is_not_black_is_wrong(tmp_path, value, colour):
    source = mvtec(tmp_path / "in", masked=0, colour=colour)
    put(tmp_path, "000.png", upper(value))
    np.testing.assert_array_equal(stored(tmp_path, source).masks()["test/scratch/000.png"], upper(True))


@pytest.mark.parametrize(("suffix", "colour"), [("png", "rgb"), ("png", "grey"), ("jpg", "grey")])
def test_a_mask_may_be_of_one_colour(tmp_path, suffix, colour):
    source = mvtec(tmp_path / "in", masked=0, colour=colour, size=[32, 32], resize="stretch")
    red = np.stack([upper(np.uint8(255), 32), *np.zeros((2, 32, 32), np.uint8)], axis=-1)
    put(tmp_path, f"000.{suffix}", red)
    np.testing.assert_array_equal(stored(tmp_path, source).masks()["test/scratch/000.png"], upper(True, 32))


def test_padding_is_not_wrong(tmp_path):
    source = mvtec(tmp_path / "in", masked=0, size=[SIDE, 2 * SIDE], resize="pad", background=[255, 255, 255])
    put(tmp_path, "000.png", upper(np.uint8(255)))
    expected = np.zeros((SIDE, 2 * SIDE), bool)
    expected[: SIDE // 2, SIDE // 2 : SIDE // 2 + SIDE] = True
    np.testing.assert_array_equal(stored(tmp_path, source).masks()["test/scratch/000.png"], expected)


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("column", [20, 29, 30])
def test_a_thin_line_stays_and_stays_thin(resize, column):
    line = np.zeros((60, 60), np.uint8)
    line[:, column] = 255
    small = MaskDecoder(ImageOptions(size=16, resize=resize), (16, 16))(png(line))
    assert small.all(axis=0).sum() == small.any(axis=0).sum() == 1
    assert small[0, column * 16 // 60]


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
@pytest.mark.parametrize(("of", "to"), [((40, 64), (20, 20)), ((64, 40), (20, 30)), ((9, 12), (24, 20))])
def test_masks_lie_where_the_images_do(resize, of, to):
    white = np.zeros(of, np.uint8)
    white[of[0] // 4 : of[0] // 2, of[1] // 3 : of[1] // 2] = 255
    options = ImageOptions(size=to, resize=resize, colour="grey")
    image, mask = ImageDecoder(options, to)(png(white))[0], MaskDecoder(options, to)(png(white))
    assert mask[image > 160].all()
    assert not mask[image < 20].any()


def test_several_masks_of_an_image_are_put_together(tmp_path):
    source = mvtec(tmp_path / "in", masked=0)
    put(tmp_path, "000.png", upper(np.uint8(255)))
    put(tmp_path, "000_mask.png", upper(np.uint8(255))[::-1])
    put(tmp_path, "001/000.png", upper(np.uint8(255)))
    put(tmp_path, "001/001.png", upper(np.uint8(255)).T)
    masks = stored(tmp_path, source).masks()
    assert list(masks) == ["test/scratch/000.png", "test/scratch/001.png"]
    assert masks["test/scratch/000.png"].all()
    np.testing.assert_array_equal(masks["test/scratch/001.png"], upper(True) | upper(True).T)


def test_masks_of_val_are_found_where_it_is_the_test_split(tmp_path):
    source = mvtec(tmp_path / "in")
    (tmp_path / "in/test").rename(tmp_path / "in/val")
    assert len(stored(tmp_path, source).masks()) == 3


def test_masks_are_counted_and_those_without_an_image_or_a_place_told(tmp_path, caplog):
    source = mvtec(tmp_path / "in")
    put(tmp_path, "999.png", upper(np.uint8(255)))
    put(tmp_path, "002_mask.png", upper(np.uint8(0)))
    (tmp_path / "in/ground_truth/scratch/000.json").write_text("{}")
    assert len(stored(tmp_path, source).masks()) == 3
    assert (
        "3 masks for 3 images, 1 without an image (ground_truth/scratch/999.png), "
        "1 images with nothing masked (test/scratch/002.png)"
    ) in caplog.text


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
