import pickle
import struct
import subprocess
import sys
import warnings
import zlib
from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from making import images
from PIL import Image, ImageCms

from ae_pipelines.base.errors import InputError, Unusable
from ae_pipelines.samples.image_files import common_size, header_size
from ae_pipelines.samples.image_options import ImageOptions
from ae_pipelines.samples.images import ImageDecoder, at_own_size
from ae_pipelines.samples.parquet import encoded_leaf

NOISE = images(1, (20, 24, 3))[0]
SMOOTH = np.add.outer(np.arange(20) * 5, np.arange(24) * 5).astype(np.uint8)


def encoded(image, format="PNG", **options):
    file = BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, format, **options)
    return file.getvalue()


def several(format, count=3, **options):
    frames = [Image.fromarray(frame) for frame in images(count, (20, 24, 3))]
    return encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)


def decode(content, size=(20, 24), **options):
    return ImageDecoder(ImageOptions.model_validate({"size": size, **options}), size)(content)


def reason(content, size=(20, 24), **options):
    with pytest.raises(Unusable) as fault:
        decode(content, size, **options)
    return str(fault.value)


def same_or_refused(content, whole, **options):
    """Whether it decodes; if so, to the same as the whole file."""
    try:
        found = decode(content, **options)
    except Unusable:
        return False
    np.testing.assert_array_equal(found, decode(whole, **options))
    return True


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_a_lossless_file_decodes_to_the_pixels_that_were_written(format):
    image = np.stack([NOISE[..., 0]] * 3, -1) if format == "GIF" else NOISE
    found = decode(encoded(image, format, **({"lossless": True} if format == "WEBP" else {})))
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, image.transpose(2, 0, 1))


def test_grey_is_one_channel_with_the_luma_of_rec_601():
    assert decode(encoded(NOISE), colour="grey").shape == (1, 20, 24)
    np.testing.assert_array_equal(decode(encoded(NOISE[..., 0]), colour="grey")[0], NOISE[..., 0])
    found = decode(encoded(NOISE), colour="grey")[0]
    np.testing.assert_allclose(found, NOISE @ [0.299, 0.587, 0.114], atol=0.51)


@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {}), ("TIFF", {"compression": "tiff_lzw"})],
    ids=["png", "jpeg", "progressive", "webp", "tiff"],
)
def test_a_file_cut_anywhere_is_refused_or_decodes_as_if_it_were_whole(format, options):
    whole = encoded(NOISE, format, **options)
    decoded = [cut for cut in range(len(whole)) if same_or_refused(whole[:cut], whole)]
    assert all(cut > len(whole) - 60 for cut in decoded)


def test_a_large_jpeg_cut_anywhere_is_refused_or_decodes_as_if_it_were_whole_when_resized_too():
    whole = encoded(images(1, (90, 100, 3))[0], "JPEG")
    decoded = [
        cut for cut in range(2, len(whole), 37) if same_or_refused(whole[:cut], whole, size=(8, 8), resize="crop")
    ]
    assert all(cut > len(whole) - 60 for cut in decoded)


def test_faults_of_one_kind_have_one_reason():
    png, jpeg = encoded(NOISE), encoded(NOISE, "JPEG")
    assert {reason(png[:cut]) for cut in range(8, len(png) - 8)} == {"PNG without its end (IEND)"}
    assert {reason(jpeg[:cut]) for cut in range(jpeg.index(b"\xff\xda") + 14, len(jpeg) - 60)} == {"JPEG is cut short"}
    assert reason(jpeg[:100]) == "JPEG is damaged, or of a kind that cannot be read"


def test_what_is_no_image_is_named_so():
    assert reason(b"") == "empty file"
    for content in (b"hello, world", b"<svg></svg>", b"\0" * 40, b"RIFF1234WAVE", b"%!PS-Adobe-3.0 EPSF-3.0\n"):
        assert reason(content) == "not a PNG, JPEG, GIF, BMP, TIFF or WebP image"


def test_a_png_without_its_end_is_refused_though_all_pixels_are_there():
    png = encoded(NOISE)
    assert png[-8:-4] == b"IEND"
    assert reason(png[:-12]) == "PNG without its end (IEND)"


def test_a_flipped_byte_anywhere_in_a_png_never_changes_a_pixel():
    png = encoded(NOISE[:5, :6])
    flipped = [png[:at] + bytes([png[at] ^ 0x55]) + png[at + 1 :] for at in range(len(png))]
    kept = [at for at, content in enumerate(flipped) if same_or_refused(content, png, size=(5, 6))]
    assert all(at >= len(png) - 12 for at in kept)
    assert reason(flipped[60], size=(5, 6)) == "PNG is damaged: a checksum (CRC) differs"


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_frames_none_or_the_first_is_taken(format):
    content = several(format, **({"lossless": True} if format == "WEBP" else {}))
    assert reason(content) == "several frames or pages (frames=first takes the first)"
    first = images(3, (20, 24, 3))[0].transpose(2, 0, 1)
    if format == "GIF":  # has at most 256 colours
        first = decode(encoded(Image.fromarray(images(3, (20, 24, 3))[0]), "GIF"))
    np.testing.assert_array_equal(decode(content, frames="first"), first)


def test_a_still_gif_is_no_animation():
    assert decode(encoded(SMOOTH, "GIF")).shape == (3, 20, 24)


def test_a_phones_photo_with_previews_counts_as_its_first_picture():
    content = several("MPO", quality=95)
    np.testing.assert_array_equal(decode(content), decode(encoded(images(3, (20, 24, 3))[0], "JPEG", quality=95)))
    assert decode(content, size=(4, 4), resize="crop").shape == (3, 4, 4)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_by_its_largest_value(format):
    content = encoded(np.full((20, 24), round(0.488 * 65_535), np.uint16), format)
    assert Image.open(BytesIO(content)).mode.startswith("I;16")
    np.testing.assert_allclose(decode(content) / 255, 0.488, atol=0.5 / 255)
    ends = encoded(np.array([[0, 128, 129, 65_535]], np.uint16), format)
    assert decode(ends, (1, 4), colour="grey").ravel().tolist() == [0, 0, 1, 255]


def test_big_endian_16_bit_grey_is_read_in_its_order():
    image = Image.frombytes("I;16B", (24, 20), b"\x12\x34" * 480)
    assert set(decode(encoded(image, "TIFF")).ravel()) == {round(0x1234 * 255 / 65_535)}


@pytest.mark.parametrize(("dtype", "kind"), [(np.int32, "32-bit"), (np.float32, "floating-point")])
def test_pixels_of_unknown_range_are_refused(dtype, kind):
    expected = f"{kind} pixels, expected 8 bits a channel or 16-bit grey"
    assert reason(encoded(np.ones((20, 24), dtype), "TIFF")) == expected


def test_print_colours_are_converted_or_refused():
    image = Image.new("CMYK", (24, 20), (255, 0, 0, 0))  # cyan ink alone
    for content in (encoded(image, "TIFF"), encoded(image, "JPEG", quality=100)):
        np.testing.assert_allclose(decode(content)[:, 5, 5], [0, 255, 255], atol=2)
        assert reason(content, cmyk="reject") == "CMYK colours"


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparent_pixels_show_the_background_in_proportion(mode):
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[..., :3], rgba[0, :, 3] = 200, [0, 51, 255]  # a fifth of the second is seen
    image = Image.fromarray(rgba)
    if mode == "PA":
        image = image.quantize(8, method=Image.Quantize.FASTOCTREE)  # a palette with alpha
    content = encoded(image if mode == "PA" else image.convert(mode))
    assert Image.open(BytesIO(content)).mode == {"PA": "P"}.get(mode, mode)
    expected = [[100, 120, 200], [0, 40, 200], [50, 80, 200]]
    np.testing.assert_allclose(decode(content, (1, 3), background=[100, 0, 50])[:, 0], expected, atol=1)


def test_a_colour_that_a_png_declares_transparent_shows_the_background():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 0] = [10, 20, 30]
    content = encoded(image, transparency=(10, 20, 30))
    assert decode(content, (1, 2), background=[1, 2, 3])[:, 0].T.tolist() == [[1, 2, 3], [0, 0, 0]]


TURNED = {  # how a file with each orientation is to be shown (EXIF 2.3, tag 0x0112)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize(
    ("format", "depth"), [("PNG", 8), ("PNG", 16), ("TIFF", 8), ("TIFF", 16), ("WEBP", 8), ("JPEG", 8)]
)
@pytest.mark.parametrize("orientation", TURNED)
def test_exif_orientation_is_applied(format, orientation, depth):
    stored = SMOOTH if depth == 8 else SMOOTH.astype(np.uint16) * 257
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(stored, format, exif=exif, **({"lossless": True} if format == "WEBP" else {}))
    expected = TURNED[orientation](SMOOTH)
    tolerance = 4 if format == "JPEG" else 0
    found = decode(content, expected.shape, colour="grey")[0]
    np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=tolerance)
    assert header_size(BytesIO(content), ImageOptions()) == expected.shape


def test_exif_that_cannot_be_read_counts_as_none():
    content = encoded(SMOOTH, exif=b"Exif\0\0II*\0garbage of some length")
    np.testing.assert_array_equal(decode(content)[0], SMOOTH)


def huge_png(height, width):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("height", "width"), [(4001, 4000), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_by_its_header(height, width):
    content = huge_png(height, width)
    assert len(content) < 100
    assert reason(content) == "more than 16 megapixels, by its header"
    assert reason(content, largest_megapixels=0.5) == "more than 0.5 megapixels, by its header"
    assert header_size(BytesIO(content), ImageOptions()) is None


def test_the_limit_is_ours_and_pillows_own_neither_narrows_it_nor_is_changed(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert decode(encoded(NOISE)).shape == (3, 20, 24)
    assert Image.MAX_IMAGE_PIXELS == 100
    assert reason(encoded(NOISE), largest_megapixels=479e-6) == "more than 0.000479 megapixels, by its header"
    assert decode(encoded(NOISE), largest_megapixels=480e-6).shape == (3, 20, 24)


def test_no_warning_of_pillows_gets_out(capfd):
    palette = Image.new("P", (24, 20))
    palette.putpalette([1, 2, 3] * 256)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        decode(encoded(palette, transparency=b"\0" * 256))
        decode(encoded(SMOOTH, "JPEG").replace(b"\xff\xdb", b"\xff\xe2\0\x0aMPF\0junk\xff\xdb", 1))
    assert capfd.readouterr() == ("", "")


def test_cropping_covers_the_size_and_cuts_equally_at_both_ends():
    image = np.zeros((10, 40), np.uint8)
    image[:, 15:25] = 255  # what remains of the middle
    np.testing.assert_array_equal(decode(encoded(image), (10, 10), resize="crop", colour="grey")[0], 255)
    assert decode(encoded(image), (5, 5), resize="crop").shape == (3, 5, 5)


def test_padding_shows_the_whole_image_centred_on_the_background():
    content = encoded(np.full((10, 40), 255, np.uint8))
    found = decode(content, (20, 20), resize="pad", background=[9, 9, 9])[0]
    np.testing.assert_array_equal(found[:7], 9)
    np.testing.assert_array_equal(found[7:12], 255)
    np.testing.assert_array_equal(found[12:], 9)


def test_a_thin_image_stays_visible_when_padded():
    assert decode(encoded(np.full((1, 3000), 255, np.uint8)), (8, 8), resize="pad").max() == 255


def test_stretching_fills_the_size_without_regard_to_proportions():
    image = np.repeat([[0, 255]], 8, 0).repeat(20, 1).astype(np.uint8)
    found = decode(encoded(image), (4, 4), resize="stretch")[0]
    np.testing.assert_allclose(found, [[0, 0, 255, 255]] * 4, atol=20)  # Lanczos blurs the edge a little


@pytest.mark.parametrize("resize", ["crop", "pad", "stretch"])
def test_an_image_of_the_right_size_is_left_as_it_is(resize):
    np.testing.assert_array_equal(decode(encoded(NOISE), resize=resize), NOISE.transpose(2, 0, 1))


def test_a_large_jpeg_shrinks_to_what_a_full_decode_would_give():
    image = np.kron(images(1, (16, 24))[0], np.ones((6, 6), np.uint8))  # as sharp as can be at the size asked for
    jpeg, png = encoded(image, "JPEG", quality=95), encoded(image)
    for resize in ("crop", "pad", "stretch"):
        difference = decode(jpeg, (16, 24), resize=resize).astype(int) - decode(png, (16, 24), resize=resize)
        assert abs(difference).max() <= 6


def test_without_a_policy_an_image_of_another_size_is_refused():
    assert reason(encoded(NOISE), (32, 32)) == "another size than 32 x 32"


def test_one_size_is_needed_and_the_sizes_found_are_counted():
    sizes = [("a", (3, 4)), ("b", (5, 6)), ("c", (5, 6)), ("d", None)]
    assert common_size(sizes[1:], ImageOptions()) == (5, 6)
    with pytest.raises(InputError, match=r"2 of 5 x 6 .*b.*, 1 of 3 x 4 .*a.*source.size=.*source.resize=crop"):
        common_size(sizes, ImageOptions())
    with pytest.raises(InputError, match=r"2 of 5 x 6 .*source.resize=crop"):
        common_size(sizes[1:], ImageOptions.model_validate({"size": [3, 4]}))
    with pytest.raises(InputError, match="none of the files is an image"):
        common_size(sizes[3:], ImageOptions())
    with pytest.raises(InputError, match=r"1 of 10 x 1 .* and 5 more"):
        common_size([(str(n), (n, 1)) for n in range(10, 25)], ImageOptions())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"resize": "crop"}, "resize=crop needs a size"),
        ({"size": 0}, "size.0: given 0"),
        ({"size": [1, 2, 3]}, "size: given .* at most 2 items"),
        ({"colour": "blue"}, "colour: given 'blue', but input should be 'rgb' or 'grey'"),
        ({"background": [0, 0, 256]}, "background.2: given 256"),
        ({"color": "rgb"}, "color: no such option; .*Did you mean 'colour'"),
    ],
)
def test_bad_options_are_refused_by_name(given, message):
    with pytest.raises(InputError, match=message):
        ImageOptions.model_validate(given)


def test_one_number_is_a_square():
    assert ImageOptions.model_validate({"size": 32}).size == (32, 32)


def test_whatever_changes_pixels_changes_the_preprocessing():
    base = {"size": 8, "resize": "crop"}
    changed = [
        {"size": 9},
        {"colour": "grey"},
        {"resize": "pad"},
        {"background": [1, 0, 0]},
        {"frames": "first"},
        {"cmyk": "reject"},
    ]
    found = [ImageOptions.model_validate(base | change) for change in [{}, *changed]]
    texts = {repr(ImageDecoder(options, options.size).preprocessing) for options in found}
    assert len(texts) == 1 + len(changed)


def test_a_decoder_can_be_sent_to_another_process():
    decoder = ImageDecoder(ImageOptions.model_validate({"size": 4, "resize": "pad"}), (4, 4))
    copy = pickle.loads(pickle.dumps(decoder))
    assert copy == decoder
    np.testing.assert_array_equal(copy(encoded(NOISE)), decoder(encoded(NOISE)))


def test_workers_import_nothing_large():
    code = (
        "import sys, ae_pipelines.samples.images;"
        " print({'torch', 'pandas', 'pyarrow', 'kedro', 'sklearn'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


def small_files():
    tiny = images(1, (5, 6, 3))[0]
    exif = Image.Exif()
    exif[0x0112] = 6
    yield from (encoded(tiny, format) for format in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"))
    yield encoded(tiny, "JPEG", progressive=True, exif=exif)
    yield encoded(tiny, "TIFF", compression="tiff_lzw")
    yield encoded(tiny, "TIFF", compression="jpeg")
    yield encoded(Image.fromarray(tiny).convert("CMYK"), "JPEG")
    yield encoded(Image.fromarray(tiny).convert("LA"), exif=exif)
    yield encoded(tiny[..., 0].astype(np.uint16))
    yield several("MPO", 2)
    yield several("GIF", 2)
    yield several("PNG", 2)


SMALL_FILES = list(small_files())
EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "cut", "insert", "drop"]), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=4,
)


def edited(content, edits):
    for kind, place, data in edits:
        at = int(place * len(content))
        before, after = content[:at], content[at:]
        content = {
            "flip": before + data + after[len(data) :],
            "cut": before,
            "insert": before + data + after,
            "drop": before + after[len(data) :],
        }[kind]
    return content


@settings(max_examples=2000, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.tuples(st.sampled_from([file[:16] for file in SMALL_FILES]), st.binary(max_size=200)).map(b"".join),
        st.builds(edited, st.sampled_from(SMALL_FILES), EDITS),
    ),
    resize=st.sampled_from([None, "crop", "pad"]),
    frames=st.sampled_from(["reject", "first"]),
)
def test_whatever_the_bytes_an_array_or_a_reason_comes_out(content, resize, frames):
    options = ImageOptions(size=(5, 6), resize=resize, frames=frames, largest_megapixels=0.1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        size = header_size(BytesIO(content), options)
        assert size is None or min(size) > 0
        try:
            found = ImageDecoder(options, (5, 6))(content)
        except Unusable:
            return
    assert found.shape == (3, 5, 6)
    assert found.dtype == np.uint8


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_an_image_is_read_upright_at_its_own_size_with_its_alpha_beside_it(orientation):
    alpha = SMOOTH
    exif = Image.Exif()
    exif[0x0112] = orientation
    turns = {1: 0, 6: -1, 8: 1}[orientation]
    found = at_own_size(encoded(np.dstack([NOISE, alpha]), exif=exif.tobytes()), "rgb")
    np.testing.assert_array_equal(found.values, np.rot90(NOISE, turns).transpose(2, 0, 1))
    np.testing.assert_array_equal(found.alpha, np.rot90(alpha, turns))
    assert at_own_size(encoded(NOISE), "rgb").alpha is None
    assert at_own_size(encoded(NOISE), "grey").values.shape == (1, 20, 24)


@pytest.mark.parametrize("format", ["PNG", "GIF", "TIFF", "WEBP"])
def test_of_an_animation_the_first_picture_is_read_at_its_own_size_and_that_is_said(format):
    found = at_own_size(several(format, **({"lossless": True} if format == "WEBP" else {})), "rgb")
    assert found.first_of_several
    first = images(3, (20, 24, 3))[0].transpose(2, 0, 1)
    assert np.abs(found.values.astype(int) - first).mean() < (40 if format == "GIF" else 0.1)
    assert not at_own_size(encoded(NOISE, format), "rgb").first_of_several


def test_a_phones_mpo_is_one_picture():
    assert not at_own_size(several("MPO"), "rgb").first_of_several


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_the_colour_profile_is_read_too(format):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert at_own_size(encoded(NOISE, format, icc_profile=profile), "rgb").profile == profile
    assert at_own_size(encoded(NOISE, format), "rgb").profile is None


@pytest.mark.parametrize(
    ("type_", "leaf"),
    [
        (pa.binary(), "image"),
        (pa.large_binary(), "image"),
        (pa.struct({"bytes": pa.binary(), "path": pa.string()}), "image.bytes"),
        (pa.struct({"path": pa.string()}), None),
        (pa.struct({"bytes": pa.string()}), None),
        (pa.string(), None),
        (pa.list_(pa.uint8()), None),
    ],
)
def test_encoded_images_are_bytes_in_a_column_or_in_its_structs(type_, leaf):
    assert encoded_leaf("image", type_) == leaf


def test_what_is_no_image_has_no_own_size():
    for content, why in [(b"", "empty file"), (b"text", "not a PNG"), (encoded(NOISE)[:-20], "PNG")]:
        with pytest.raises(Unusable, match=why):
            at_own_size(content, "rgb")
