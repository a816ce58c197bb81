"""16-bit grey keeps its values, in every source of images."""

import logging
import struct
import zlib
from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples import new_image
from ae_pipelines.samples.image_files import bits_of
from ae_pipelines.samples.image_options import ImageOptions
from ae_pipelines.samples.images import ImageDecoder, at_own_size
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.sources import SourceChoice
from ae_pipelines.samples.spec import SampleSpec

RAMP = (np.add.outer(np.arange(20) * 24, np.arange(24) * 150)).astype(np.uint16)  # 0 to 3906: 12 bits
GREY = (RAMP // 16).astype(np.uint8)


def encoded(image, format="TIFF", **options):
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **options)
    return file.getvalue()


def png_of_16_bits(values, colour_type):
    """A PNG, which Pillow cannot write (ISO 15948): each row begins with the number of its filter."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff_of_16_bits(values):
    """A TIFF in colour, which Pillow cannot write (TIFF 6.0): tags of type short (3) or long (4), then values."""
    height, width, channels = values.shape
    after = 8 + 2 + 9 * 12 + 4
    tags = [
        *((256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, after), (259, 3, 1, 1), (262, 3, 1, 2)),
        *((273, 4, 1, after + 2 * channels), (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, values.nbytes)),
    ]
    table = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    bits = struct.pack(f"<{channels}H", *[16] * channels)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + table + bytes(4) + bits + values.astype("<u2").tobytes()


RGB_16 = np.stack([RAMP] * 3, -1) * 16


def decode(content, size=(20, 24), deep=True, **options):
    return ImageDecoder(ImageOptions.model_validate({"size": size, "colour": "grey", **options}), size, deep)(content)


# -- one image ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [encoded(RAMP), encoded(RAMP, "PNG")], ids=["tiff", "png"])
def test_values_are_kept(content):
    found = decode(content)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, RAMP[None])
    np.testing.assert_array_equal(decode(content, colour="rgb"), np.stack([RAMP] * 3))
    np.testing.assert_array_equal(at_own_size(content, "grey", deep=True).values, RAMP[None])


def test_values_of_big_endian_files_are_kept():
    image = Image.frombytes("I;16B", (24, 20), RAMP.astype(">u2").tobytes())
    np.testing.assert_array_equal(decode(encoded(image)), RAMP[None])


def test_8_bits_become_16_so_that_white_stays_white():
    np.testing.assert_array_equal(decode(encoded(GREY, "PNG")), GREY[None].astype(np.uint16) * 257)
    assert decode(encoded(np.full((20, 24), 255, np.uint8))).max() == 65_535
    assert at_own_size(encoded(np.full((20, 24), 255, np.uint8)), "grey", deep=True).values.min() == 65_535


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_resized_images_are_those_of_floating_point_numbers_and_keep_their_depth(resize):
    large = np.kron(RAMP, np.ones((4, 4))).astype(np.uint16)
    found = decode(encoded(large), (30, 36), resize=resize)[0]
    expected = Image.fromarray(large.astype(np.float32)).resize((36, 30), Image.Resampling.LANCZOS)
    np.testing.assert_allclose(found, np.asarray(expected).clip(0), atol=1)
    assert len(np.unique(found)) > 500  # scaled to 8 bits it has 16


def test_padding_has_the_shade_of_the_background_in_16_bits():
    wide = encoded(np.full((4, 16), 4095, np.uint16))
    grey = decode(wide, (16, 16), resize="pad", background=[255, 255, 255])
    assert (grey[0, 0, 0], grey[0, 8, 8]) == (65_535, 4095)
    colours = decode(wide, (16, 16), resize="pad", background=[10, 0, 255], colour="rgb")
    assert colours[:, 0, 0].tolist() == [2570, 0, 65_535]
    assert colours[:, 8, 8].tolist() == [4095] * 3


def test_exif_orientation_is_applied_to_16_bits_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    np.testing.assert_array_equal(decode(encoded(RAMP, "PNG", exif=exif), (24, 20))[0], np.rot90(RAMP, -1))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(RAMP), "16 of grey"),
        (encoded(RAMP, compression="tiff_lzw"), "16 of grey"),
        (encoded(Image.frombytes("I;16B", (24, 20), RAMP.astype(">u2").tobytes())), "16 of grey"),
        (encoded(RAMP, "PNG"), "16 of grey"),
        (png_of_16_bits(RGB_16, 2), "16 of colours"),
        (png_of_16_bits(RGB_16[..., :2], 4), "16 of colours"),
        (tiff_of_16_bits(RGB_16), "16 of colours"),
        (encoded(GREY), "8"),
        (encoded(GREY, "PNG"), "8"),
        (encoded(np.stack([GREY] * 3, -1)), "8"),
        (encoded(np.stack([GREY] * 3, -1), "JPEG"), "8"),
        (encoded(RAMP.astype(np.float32)), None),
        (encoded(RAMP)[:60], None),
        (b"", None),
    ],
)
def test_the_header_says_how_many_bits_there_are(content, expected):
    assert bits_of(BytesIO(content), ImageOptions()) == expected


@pytest.mark.parametrize("content", [png_of_16_bits(RGB_16, 2), tiff_of_16_bits(RGB_16)], ids=["png", "tiff"])
def test_of_16_bit_colours_the_upper_bits_are_read(content):
    np.testing.assert_array_equal(decode(content, deep=False, colour="rgb"), (RGB_16 >> 8).transpose(2, 0, 1))


# -- sources -----------------------------------------------------------------------------------------------------


def shots(count, seed=0):
    """Different 12-bit images with a pattern."""
    random = np.random.default_rng(seed)
    waves = np.sin(np.add.outer(np.arange(20) / 3, np.arange(24) / 4) + random.uniform(0, 6, (count, 1, 1)))
    return (2000 + 1800 * waves + random.normal(0, 30, waves.shape)).clip(0, 4095).astype(np.uint16)


def folder(path, contents):
    path.mkdir()
    for number, content in enumerate(contents):
        (path / f"{number:03}.tif").write_bytes(content)
    return SourceChoice(kind="image_folder", path=path, colour="grey").build()


def parquet(path, contents):
    pq.write_table(pa.table({"image": pa.array(contents, pa.binary())}), path)
    return SourceChoice(kind="image_parquet", path=path, colour="grey", label_column=None).build()


SOURCES = {"image_folder": folder, "image_parquet": parquet}


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_12_bit_images_are_stored_as_they_are_and_scaled_by_their_own_range(make, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    images = shots(60)
    contents = [*map(encoded, images), b"no image"]
    store = write_store(tmp_path / "store", make(tmp_path / "x", contents), IngestOptions(max_rejected_share=0.1))
    assert store.spec.dtype == "uint16"
    np.testing.assert_array_equal(store.read(), images[:, None])
    low, high = store.spec.range
    assert 100 < low < 300
    assert 3700 < high <= 4095
    x = store.spec.as_input(store.read())
    assert (x.min(), x.max()) == (0, 1)
    assert 0.4 < x.mean() < 0.6
    assert "60 images are 16-bit grey: samples are uint16 and keep their values" in caplog.text
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_images_of_8_bits_are_stored_as_ever(make, tmp_path):
    source = make(tmp_path / "x", [encoded(image) for image in (shots(5) // 16).astype(np.uint8)])
    assert source.spec().dtype == "uint8"
    assert source.spec().preprocessing == ImageDecoder(ImageOptions(colour="grey"), (20, 24)).preprocessing
    assert source.spec().preprocessing["16_bit_grey"] == "value * 255 / 65535, rounded"


def test_a_range_of_8_bits_that_is_the_whole_is_not_recorded(tmp_path):
    folder(tmp_path / "x", [encoded(GREY)])
    sources = [SourceChoice(kind="image_folder", path=tmp_path / "x", **given).build() for given in ({}, FULL)]
    assert sources[0].spec() == sources[1].spec()


FULL = {"range": "full"}


def test_mixed_depths_are_told_and_comparable(tmp_path, caplog):
    source = folder(tmp_path / "x", [*map(encoded, shots(3)), encoded(GREY)])
    assert source.spec().dtype == "uint16"
    assert "3 of 4 images are 16-bit grey, so samples are uint16, and the others become value * 257" in caplog.text
    assert write_store(tmp_path / "store", source).read()[3].max() == int(GREY.max()) * 257


def test_16_bit_colours_are_told(tmp_path, caplog):
    source = folder(tmp_path / "x", [tiff_of_16_bits(RGB_16), encoded(GREY)])
    assert source.spec().dtype == "uint8"
    assert "1 of 2 images have 16 bits in each of several channels, of which the upper 8 are read" in caplog.text


@pytest.mark.parametrize("name", ["photo.jpg", "photo", "photo.dat.tif"])
def test_16_bits_are_found_by_content_but_for_names_of_formats_without_them(name, tmp_path):
    (tmp_path / name).write_bytes(encoded(RAMP))
    options = {"path": tmp_path, "size": [8, 8], "resize": "stretch"}
    dtype = SourceChoice(kind="image_folder", **options).build().spec().dtype
    assert dtype == ("uint8" if name.endswith("jpg") else "uint16")


@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES)
def test_new_images_get_the_depth_and_the_range_of_the_training(make, tmp_path, caplog):
    store = write_store(tmp_path / "store", make(tmp_path / "x", map(encoded, shots(40))))
    new = make(tmp_path / "new", map(encoded, shots(20, seed=1))).like(store.spec)
    assert new.spec() == store.spec
    assert write_store(tmp_path / "of_new", new).spec == store.spec
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    darker = make(tmp_path / "darker", map(encoded, shots(20, seed=1) // 2)).like(store.spec)
    assert write_store(tmp_path / "of_darker", darker).spec == store.spec
    assert "% of the pixels lie outside the range" in caplog.text
    shallow = make(tmp_path / "shallow", [encoded(GREY)]).like(store.spec)
    assert shallow.spec() == store.spec
    assert "none of the 1 images is 16-bit grey, but those that the model was trained on are" in caplog.text


def test_a_model_of_8_bits_gets_16_as_before(tmp_path, caplog):
    trained_on = folder(tmp_path / "x", [encoded(GREY)]).spec()
    own = folder(tmp_path / "deep", [encoded(RAMP)])
    assert own.spec().dtype == "uint16"
    source = own.like(trained_on)
    assert source.spec() == trained_on
    assert "1 of 1 images are 16-bit grey, but the model was trained on 8 bits" in caplog.text
    expected = np.rint(RAMP * (255 / 65_535))
    np.testing.assert_array_equal(write_store(tmp_path / "store", source).read()[0, 0], expected)


def test_a_new_image_is_decoded_like_deep_samples(tmp_path):
    store = write_store(tmp_path / "store", folder(tmp_path / "x", map(encoded, shots(20))))
    np.testing.assert_array_equal(new_image.decoded(encoded(RAMP), store.spec, "it", "numbers"), RAMP[None])


def test_another_range_decodes_nothing_again(tmp_path):
    folder(tmp_path / "x", map(encoded, shots(20)))
    ranges = ("data", "full", [0, 4095])
    sources = [SourceChoice(kind="image_folder", path=tmp_path / "x", range=given).build() for given in ranges]
    stores = [write_store(tmp_path / "store", source) for source in sources]
    assert [store.spec.range[1] == high for store, high in zip(stores[1:], (65_535, 4095), strict=True)] == [True] * 2
    assert len({store.id for store in stores}) == 3
    assert stores[-1].counts()["reused"] == 20


# -- arrays ------------------------------------------------------------------------------------------------------


def array(path, values, layout="NHW", **options):
    np.save(path, values)
    return SourceChoice(kind="array", path=path, layout=layout, **options).build()


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize("layout", ["NHW", "NHWC", "NCHW"])
def test_arrays_of_uint16_are_images(dtype, layout, tmp_path):
    images = shots(60)
    given = {"NHW": images, "NHWC": images[..., None], "NCHW": images[:, None]}[layout].astype(dtype)
    store = write_store(tmp_path / "store", array(tmp_path / "x.npy", given, layout))
    assert store.spec.dtype == "uint16"
    np.testing.assert_array_equal(store.read(), images[:, None])
    assert store.spec.range[1] > 3700


def test_rows_of_uint16_are_refused_as_before(tmp_path):
    with pytest.raises(InputError, match="holds uint16, expected float16.*uint16 for images.*float32"):
        array(tmp_path / "x.npy", shots(3).reshape(3, -1), "NF").spec()


def test_new_arrays_get_the_range_of_the_training(tmp_path):
    spec = write_store(tmp_path / "store", array(tmp_path / "x.npy", shots(60))).spec
    assert array(tmp_path / "y.npy", shots(9) // 2).like(spec).spec() == spec
    other = array(tmp_path / "z.npy", (shots(9) // 16).astype(np.uint8)).like(spec)
    with pytest.raises(InputError, match="dtype 'uint8' .expected 'uint16'."):
        spec.refuse_other(other.spec(), "model")


def test_arrays_of_uint8_have_no_range_unless_one_is_given(tmp_path):
    images = (shots(9) // 16).astype(np.uint8)
    assert array(tmp_path / "x.npy", images).spec() == SampleSpec(shape=(1, 20, 24), dtype="uint8")
    assert array(tmp_path / "x.npy", images, range=[0, 20]).spec().range == (0, 20)
