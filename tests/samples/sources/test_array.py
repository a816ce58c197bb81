import hashlib
import io
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.ingest import IngestOptions, write_store
from ae_pipelines.samples.labels import label_name
from ae_pipelines.samples.sources import SourceChoice, array
from ae_pipelines.samples.splits import split_by_content

FLOATS = np.random.default_rng(0).normal(5, 3, (32, 6)).astype(np.float32)
PIXELS = np.random.default_rng(1).integers(0, 256, (32, 5, 4, 3), dtype=np.uint8)  # NHWC


def npy(values, version=None):
    file = io.BytesIO()
    np.lib.format.write_array(file, values, version)
    return file.getvalue()


def source(path, layout="NF", **fields):
    return SourceChoice(kind="array", path=path, layout=layout, **fields).build()


def saved(folder, values, layout="NF", name="x.npy", **fields):
    (folder / name).write_bytes(values if isinstance(values, bytes) else npy(values))
    return source(folder / name, layout, **fields)


def read(found):
    """Values, ids, labels, sha256, rejects of all blocks."""
    blocks = list(found.blocks())
    return (
        np.concatenate([block.values for block in blocks]),
        [name for block in blocks for name in block.ids],
        [label for block in blocks for label in block.labels or []],
        [sha for block in blocks for sha in block.sha256],
        [reject for block in blocks for reject in block.rejects],
    )


def example(folder, first, last):
    values = np.random.default_rng(2).normal(5, 3, (last, 6))
    values[3, 4] = np.nan
    (folder / "y.npy").write_bytes(npy(np.arange(first, last) % 3))
    return saved(folder, values[first:], labels="y.npy")


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(array, "BLOCK_ROWS", 7)


def test_bytes_are_stored_as_they_are_whatever_standardise_says(tmp_path):
    found = saved(tmp_path, PIXELS, "NHWC")
    assert found.spec().model_dump() == {"shape": (3, 5, 4), "dtype": "uint8", "preprocessing": {}}
    np.testing.assert_array_equal(read(found)[0], PIXELS.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("layout", "values", "expected"),
    [
        ("NF", PIXELS.reshape(32, -1), PIXELS.reshape(32, -1)),
        ("NHW", PIXELS[..., 0], PIXELS[:, None, :, :, 0]),
        ("NHWC", PIXELS, PIXELS.transpose(0, 3, 1, 2)),
        ("NCHW", PIXELS, PIXELS),
    ],
)
def test_every_layout_becomes_features_or_channels_height_width(tmp_path, layout, values, expected, small_blocks):
    found = saved(tmp_path, np.ascontiguousarray(values), layout)
    assert found.spec().shape == expected.shape[1:]
    np.testing.assert_array_equal(read(found)[0], expected)


def test_images_with_channels_last_equal_the_same_with_channels_first(tmp_path):
    last = saved(tmp_path, PIXELS / 7, "NHWC", standardise=False)
    first = saved(tmp_path, np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2)) / 7, "NCHW", "y.npy", standardise=False)
    np.testing.assert_array_equal(read(last)[0], read(first)[0])
    assert last.spec() == first.spec()


def test_train_rows_have_mean_zero_and_variance_one_in_every_feature(tmp_path, small_blocks):
    found = saved(tmp_path, FLOATS)
    values, _, _, sha256, _ = read(found)
    train = np.array([split_by_content(sha) == "train" for sha in sha256])
    assert 0 < train.sum() < 32
    np.testing.assert_allclose(values[train].mean(0, np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(values[train].var(0, np.float64), 1, atol=1e-5)
    recorded = found.spec().preprocessing
    np.testing.assert_allclose(recorded["mean"], FLOATS[train].mean(0, np.float64), rtol=1e-12)
    np.testing.assert_allclose(recorded["standard_deviation"], FLOATS[train].std(0, np.float64), rtol=1e-10)


def test_float_images_are_standardised_by_channel(tmp_path):
    found = saved(tmp_path, PIXELS.astype(np.float64), "NHWC")
    values, _, _, sha256, _ = read(found)
    train = np.array([split_by_content(sha) == "train" for sha in sha256])
    assert len(found.spec().preprocessing["mean"]) == 3
    np.testing.assert_allclose(values[train].mean((0, 2, 3), np.float64), 0, atol=1e-6)
    np.testing.assert_allclose(values[train].var((0, 2, 3), np.float64), 1, atol=1e-5)


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">f4", ">f2", "<f2"])
def test_floats_of_any_width_and_byte_order_are_their_float32(tmp_path, dtype):
    values = FLOATS.astype(dtype)
    found = read(saved(tmp_path, values, standardise=False))[0]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values.astype(np.float32))


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_all_versions_of_the_format_are_read(tmp_path, version):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content = npy(FLOATS, version)
    np.testing.assert_array_equal(read(saved(tmp_path, content, standardise=False))[0], FLOATS)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_npz_gives_what_its_npy_gives(tmp_path, save, small_blocks):
    labels = np.arange(32) % 3
    (tmp_path / "labels.npy").write_bytes(npy(labels))
    save(tmp_path / "x.npz", data=FLOATS, labels=labels, other=np.arange(3))
    plain = saved(tmp_path, FLOATS, labels="labels.npy")
    zipped = source(tmp_path / "x.npz", key="data", labels="labels")
    assert zipped.spec() == plain.spec()
    np.testing.assert_array_equal(read(zipped)[0], read(plain)[0])
    assert read(zipped)[1:] == read(plain)[1:]


def test_the_only_array_beside_the_labels_needs_no_key(tmp_path):
    np.savez(tmp_path / "x.npz", data=FLOATS, labels=np.arange(32))
    assert read(source(tmp_path / "x.npz", labels="labels"))[2] == [*range(32)]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.arange(32, dtype=">i2"), [str(number) for number in range(32)]),
        (np.array(["cat", "øl"] * 16), ["cat", "øl"] * 16),
        (np.array(["cat", "øl"] * 16, dtype=">U5"), ["cat", "øl"] * 16),
        (np.array(["cat", ""] * 16), ["cat", None] * 16),
        (np.array([b"cat", "øl".encode()] * 16), ["cat", "øl"] * 16),
        (np.array([1, np.nan] * 16), ["1", None] * 16),
        (np.array([0.1, -2] * 16, ">f4"), ["0.1", "-2"] * 16),
        (np.array([True, False] * 16), ["true", "false"] * 16),
    ],
)
def test_labels_are_numbers_or_text(tmp_path, labels, expected, small_blocks):
    (tmp_path / "y.npy").write_bytes(npy(labels))
    assert [*map(label_name, read(saved(tmp_path, FLOATS, labels=str(tmp_path / "y.npy")))[2])] == expected


def test_samples_are_named_by_file_and_row(tmp_path, small_blocks):
    ids = read(saved(tmp_path, np.zeros((1000, 1), np.uint8), name="cells.npy"))[1]
    assert (ids[0], ids[42], ids[999]) == ("cells/0000", "cells/0042", "cells/0999")


def test_rows_with_nan_or_inf_are_rejected_and_counted(tmp_path, small_blocks):
    values = np.tile(FLOATS, (10, 1)) + np.arange(320, dtype=np.float32)[:, None]
    values[[3, 200], 1] = np.nan, -np.inf
    (tmp_path / "y.npy").write_bytes(npy(np.arange(320)))
    found = saved(tmp_path, values, labels="y.npy")
    store = write_store(tmp_path / "store", found)
    assert found.count() == store.manifest.read == 320
    assert (store.manifest.accepted, store.manifest.rejected) == (318, 2)
    assert store.rejects["sample_id"].tolist() == ["x/003", "x/200"]
    assert store.rejects["reason"].tolist() == ["NaN or Inf"] * 2
    assert store.rejects["sha256"][0] == hashlib.sha256(values[3].tobytes()).hexdigest()
    assert store.index["label"].tolist() == [str(row) for row in range(320) if row not in (3, 200)]
    assert np.isfinite(found.spec().preprocessing["mean"]).all()


def test_a_row_beyond_float32_is_rejected(tmp_path):
    values = FLOATS.astype(np.float64)
    values[9, 0] = 1e39
    _, ids, _, _, rejects = read(saved(tmp_path, values, standardise=False))
    assert [(reject.id, reject.reason) for reject in rejects] == [("x/09", "too large for float32")]
    assert len(ids) == 31


def test_splits_stay_when_rows_are_appended_and_when_standardisation_changes(tmp_path):
    more = np.concatenate([FLOATS, FLOATS + 100])
    stores = [
        write_store(tmp_path / name, saved(tmp_path, values, standardise=standardise))
        for name, values, standardise in (("a", FLOATS, True), ("b", more, True), ("c", FLOATS, False))
    ]
    splits = [store.index["split"].tolist()[:32] for store in stores]
    assert splits[0] == splits[1] == splits[2]
    assert set(splits[0]) == {"train", "test"}
    assert stores[0].index["sha256"][5] == hashlib.sha256(FLOATS[5].tobytes()).hexdigest()


class Touched:
    """Unpickling it would leave a trace."""

    def __reduce__(self):
        return (print, ("unpickled",))


def header(text):
    text = text.ljust(118) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no valid .npy header"),
        (b"\x89PNG....", "no valid .npy header .the magic string is not correct"),
        (b"\x93NUMPY\x07\x00" + npy(FLOATS)[8:], "no valid .npy header .version"),
        (npy(FLOATS)[:60], "no valid .npy header .EOF"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100), "no valid .npy header .EOF"),
        (header("[[[[" * 20), "no valid .npy header"),
        (npy(FLOATS)[:-1], "short payload, 31 of 32 samples"),
        (npy(FLOATS)[:128], "short payload, 0 of 32 samples"),
        (npy(FLOATS) + b"x", "has data after its 32 declared samples"),
        (npy(FLOATS[:0]), "holds no samples: its shape is .0, 6."),
        (npy(FLOATS[:, :0]), "holds no samples: its shape is .32, 0."),
        (npy(np.float32(3)), "holds no samples: its shape is .."),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-3, 2)}"), "holds no samples"),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 999999999999)}"), "more than the 67,108,864"),
        (npy(np.asfortranarray(FLOATS)), "Fortran order: save numpy.ascontiguousarray"),
        (npy(np.array([[Touched()]])), "pickled Python objects, which are never loaded"),
        (npy(FLOATS.astype(np.int64)), "holds int64, expected float16, 32 or 64, or uint8 .*astype"),
        (npy(FLOATS > 0), "holds bool, expected"),
        (npy(FLOATS.astype(complex)), "holds complex128, expected"),
        (npy(FLOATS.astype(np.longdouble)), "holds float128, expected"),
        (npy(FLOATS.view([("a", "f4")])), "expected float16"),
        (npy(FLOATS[:, :, None]), "has the shape .32, 6, 1., but layout=NF means 2 axes: give NHW$"),
    ],
)
def test_a_bad_file_is_refused_with_its_fault(tmp_path, content, message, capfd):
    with pytest.raises(InputError, match=f"x.npy.*{message}"):
        saved(tmp_path, content).spec()
    assert "unpickled" not in capfd.readouterr().out


def test_a_file_that_shrinks_while_it_is_read_is_refused(tmp_path, small_blocks):
    found = saved(tmp_path, FLOATS, standardise=False)
    blocks = found.blocks()
    found.spec()
    (tmp_path / "x.npy").write_bytes(npy(FLOATS)[:-30])
    with pytest.raises(InputError, match="short payload, 30 of 32 samples"):
        list(blocks)


def zipped(folder, name="x.npz", **members):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(f"{member}.npy", content)
    return (folder / name).read_bytes()


def test_a_zip_bomb_is_refused_unread(tmp_path):
    zipped(tmp_path, data=npy(FLOATS) + bytes(300_000_000))
    with pytest.raises(InputError, match=r"x.npz\[data\] has data after its 32 declared samples"):
        source(tmp_path / "x.npz").spec()


def test_a_damaged_zip_is_refused_wherever_the_damage(tmp_path):
    content = zipped(tmp_path, data=npy(FLOATS))
    for broken in (b"", b"PK", content[:-30], content[:200] + b"????" + content[204:]):
        (tmp_path / "x.npz").write_bytes(broken)
        with pytest.raises(InputError, match="x.npz.* cannot be read"):
            read(source(tmp_path / "x.npz"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "must have one array besides the labels, but has data, other: give source.key=<name>"),
        ({"key": "dta"}, "has no array 'dta'; known: data, other. Did you mean 'data'?"),
        ({"key": "data", "labels": "y"}, "has no array 'y'; known: data, other"),
    ],
)
def test_the_members_of_an_npz_must_be_named(tmp_path, fields, message):
    zipped(tmp_path, data=npy(FLOATS), other=npy(FLOATS))
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        source(tmp_path / "x.npz", **fields).spec()


def test_an_npz_without_arrays_is_refused(tmp_path):
    zipped(tmp_path)
    with pytest.raises(InputError, match="but has none"):
        source(tmp_path / "x.npz").spec()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.arange(31), "has 32 samples, but its labels .*y.npy the shape .31,."),
        (np.zeros((32, 2), int), "has 32 samples, but its labels .*y.npy the shape .32, 2."),
        (np.zeros(32, complex), "the labels .*y.npy are complex128, expected numbers or text"),
        (np.full(32, Touched()), "pickled Python objects"),
        (np.full(32, 0x7FFFFFFF, "<u4").view("<U1"), "are not valid text"),
        (np.full(32, 0x110000, ">u4").view(">U1"), "are not valid text"),
        (np.full(32, 0xD800, "<u4").view("<U1"), "are not valid text"),
    ],
)
def test_bad_labels_are_refused(tmp_path, labels, message):
    (tmp_path / "y.npy").write_bytes(npy(labels))
    with pytest.raises(InputError, match=message):
        list(saved(tmp_path, FLOATS, labels="y.npy").blocks())


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("nowhere.npy", {}, "no file .*nowhere.npy: give an .npy or .npz file"),
        ("nowhere.npz", {}, "no file .*nowhere.npz: give an .npy or .npz file"),
        ("x.npy", {"labels": "nowhere.npy"}, "labels: no file .*nowhere.npy: give .* from the folder of x.npy"),
        ("x.npy", {"key": "data"}, "key=data is a member of an .npz, but .*x.npy is one array"),
        ("x.dat", {}, "x.dat is neither .npy nor .npz"),
    ],
)
def test_a_wrong_path_or_key_is_refused(tmp_path, name, fields, message):
    for there in ("x.npy", "x.dat"):
        (tmp_path / there).write_bytes(npy(FLOATS))
    with pytest.raises(InputError, match=message):
        source(tmp_path / name, **fields).spec()


def test_all_samples_constant_is_refused_before_anything_is_stored(tmp_path):
    with pytest.raises(InputError, match="all of the 6 columns are constant"):
        write_store(tmp_path / "store", saved(tmp_path, np.ones_like(FLOATS)), IngestOptions())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layout": None}, "layout: not given; say what the axes are .*layout=NF, or NHW"),
        ({}, "layout: not given"),
        ({"layout": "NWH"}, "layout: given 'NWH', but input should be 'NF', 'NHW', 'NHWC' or 'NCHW'"),
        ({"layout": "NF", "standardize": True}, "standardize: no such option; known: .* Did you mean 'standardise'"),
        ({"layout": "NF", "standardise": "maybe"}, "standardise: given 'maybe'"),
    ],
)
def test_bad_options_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        SourceChoice(kind="array", path="x.npy", **fields).check()


def changed(content, place, replacement):
    place %= len(content)
    return content[:place] + replacement + content[place + len(replacement) :]


SMALL = [npy(FLOATS[:4]), npy(PIXELS[:4, :2, :2, 0]), npy(np.array([["a", "b"]])), npy(FLOATS[:4].view("V4"))]
MEMBERS = io.BytesIO()
np.savez_compressed(MEMBERS, data=FLOATS[:4])
TOKENS = [
    "",
    "<f4",
    ">f8",
    "|O",
    "|u1",
    "<U1",
    "|V0",
    "(2,3)",
    "True",
    "False",
    "None",
    "'descr'",
    "-1",
    "9" * 20,
    "''",
]


@settings(max_examples=600, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=60).map(lambda payload: b"\x93NUMPY\x01\x00" + payload),
        st.builds(changed, st.sampled_from(SMALL), st.integers(0, 200), st.binary(max_size=8)),
        st.builds(lambda content, end: content[:end], st.sampled_from(SMALL), st.integers(0, 200)),
        st.builds(
            lambda descr, order, shape, payload: (
                header(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}"[:110]) + payload
            ),
            st.one_of(st.sampled_from(TOKENS), st.sampled_from(TOKENS).map(repr), st.text(max_size=8)),
            st.sampled_from(TOKENS),
            st.one_of(st.sampled_from(TOKENS), st.tuples(st.integers(-1, 3), st.integers(-1, 3)).map(str)),
            st.binary(max_size=40),
        ),
        st.lists(st.sampled_from([*TOKENS, *"[](){},:"]), max_size=20).map(lambda parts: header(" ".join(parts)[:110])),
    ),
    layout=st.sampled_from(["NF", "NHW"]),
)
def test_whatever_the_bytes_samples_or_our_own_error_come_out(tmp_path_factory, content, layout):
    refused_or_read(tmp_path_factory.getbasetemp() / "any.npy", content, layout)


@settings(max_examples=200, deadline=None)
@given(content=st.builds(changed, st.just(MEMBERS.getvalue()), st.integers(0, 10_000), st.binary(max_size=8)))
def test_whatever_the_bytes_of_an_npz_samples_or_our_own_error_come_out(tmp_path_factory, content):
    refused_or_read(tmp_path_factory.getbasetemp() / "any.npz", content, "NF")


def refused_or_read(path, content, layout):
    path.write_bytes(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = source(path, layout, standardise=False)
            values = read(found)[0]
    except InputError:
        return
    assert np.isfinite(values).all()
    assert str(values.dtype) == found.spec().dtype
