"""What is restored, by untrained models: which images are found, what they are called, what is kept of them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from making import ArraySource, images
from PIL import Image, ImageCms
from scenes import NOISE, SCENE, encoded, folder_of, parquet

from ae_pipelines.base.errors import InputError
from ae_pipelines.restoration.options import RestoreOptions
from ae_pipelines.samples.ingest import write_store

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def written(tmp_path):
    place = tmp_path / "restored"
    return sorted(str(path.relative_to(place)) for path in place.rglob("*.png"))


def test_rows_of_one_name_are_all_written(restored, tmp_path):
    shades = [np.full((16, 12, 3), 60 * shade, np.uint8) for shade in range(4)]
    place = parquet(tmp_path / "some.parquet", [{"bytes": encoded(x), "path": "x.jpg"} for x in shades])
    table = restored(NOISE, input=place).table
    assert table["path"].tolist() == ["x.png", "x_2.png", "x_3.png", "x_4.png"]
    means = [np.asarray(Image.open(tmp_path / "restored" / path)).mean() for path in table["path"]]
    assert means == sorted(means), "each its own image"
    assert means[3] > means[0] + 100


def test_names_that_differ_in_replaced_signs_alone_are_all_written(restored, tmp_path):
    rows = [{"bytes": encoded(SCENE), "path": f"a{sign}b.png"} for sign in "?:*"]
    table = restored(NOISE, input=parquet(tmp_path / "some.parquet", rows)).table
    assert written(tmp_path) == sorted(table["path"]) == ["a_b.png", "a_b_2.png", "a_b_3.png"]


def test_samples_whose_ids_differ_in_replaced_signs_alone_are_all_written(restored, tmp_path):
    ids = [f"a{one}{other}" for one in "?:*|<>!&" for other in "?:*|<>!&"][:60]
    samples = write_store(tmp_path / "store", ArraySource(images(60, (3, 16, 12)), ids=ids))
    table = restored(NOISE, samples=samples).table
    assert table["path"].is_unique
    assert len(written(tmp_path)) == 2 * len(table), "each also corrupted"


def test_a_file_and_a_folder_may_have_one_name(restored, tmp_path):
    folder_of(tmp_path / "given", a__jpg=SCENE)
    folder_of(tmp_path / "given/a.png", b__jpg=SCENE)
    assert len(restored(NOISE, input=tmp_path / "given").table) == 2 == len(written(tmp_path))


def test_files_that_differ_in_their_extension_alone_are_both_written(restored, tmp_path):
    table = restored(NOISE, input=folder_of(tmp_path / "given", a__png=SCENE, a__jpg=SCENE)).table
    assert sorted(table["path"]) == written(tmp_path) == ["a.png", "a_2.png"]


def test_images_in_a_folder_called_as_that_of_the_corrupted_ones_are_not_lost(restored, tmp_path):
    folder_of(tmp_path / "given", a__png=SCENE)
    folder_of(tmp_path / "given/_corrupted", a__png=255 - SCENE)
    restored(NOISE, input=tmp_path / "given", corrupt=True)
    assert written(tmp_path) == ["_corrupted/_corrupted_2/a.png", "_corrupted/a.png", "_corrupted_2/a.png", "a.png"]


def test_names_that_lead_out_of_the_folder_stay_in_it(restored, tmp_path):
    rows = [{"bytes": encoded(SCENE), "path": path} for path in ("../../out", "/etc/x")]
    table = restored(NOISE, input=parquet(tmp_path / "some.parquet", rows)).table
    assert table["path"].tolist() == ["_/_/out.png", "etc/x.png"]
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("path", ["/", ".", "", None, "//"])
def test_a_path_that_names_nothing_is_replaced_by_the_rows_number(restored, tmp_path, path):
    rows = [{"bytes": encoded(SCENE), "path": "first.jpg"}, {"bytes": encoded(SCENE), "path": path}]
    table = restored(NOISE, input=parquet(tmp_path / "some.parquet", rows)).table
    assert table["path"].tolist() == ["first.png", "some/00001.png"]


def test_a_name_that_is_too_long_is_cut(restored, tmp_path):
    rows = [{"bytes": encoded(SCENE), "path": "x" * 300}]
    restored(NOISE, input=parquet(tmp_path / "some.parquet", rows))
    assert written(tmp_path) == ["x" * 200 + ".png"]


def test_paths_that_are_not_text_are_ignored(restored, tmp_path):
    rows = [{"bytes": encoded(SCENE), "path": 7}]
    assert restored(NOISE, input=parquet(tmp_path / "some.parquet", rows)).table["path"].tolist() == ["some/00000.png"]


@pytest.mark.parametrize("column", [["text"], [1, 2], [[1, 2], [3]], [None], [{"path": "x"}], [{"bytes": "text"}]])
def test_a_column_without_images_is_refused_by_name_before_any_work(restored, tmp_path, column):
    place = parquet(tmp_path / "some.parquet", column)
    for work in (RestoreOptions(input=place).check, lambda: restored(NOISE, input=place)):
        with pytest.raises(InputError, match=r"column image of .* is .*, expected binary, or a struct with bytes"):
            work()


def test_a_damaged_parquet_file_is_refused(restored, tmp_path):
    noise = [images(1, (40, 40, 3), seed=seed)[0] for seed in range(3)]
    place = parquet(tmp_path / "some.parquet", [encoded(x) for x in noise])
    content = bytearray(place.read_bytes())
    content[4:60] = bytes(56)
    place.write_bytes(content)
    with pytest.raises(InputError, match="neither an image nor readable as parquet"):
        restored(NOISE, input=place)


def test_a_limit_counts_from_the_first_row(restored, tmp_path):
    rows = [{"bytes": encoded(SCENE), "path": f"{number}.jpg"} for number in range(5)]
    table = restored(NOISE, input=parquet(tmp_path / "some.parquet", rows), limit=2).table
    assert table["path"].tolist() == ["0.png", "1.png"]


def test_an_empty_folder_and_files_without_images_are_refused(restored, tmp_path):
    (tmp_path / "empty").mkdir()
    pq.write_table(pa.table({"x": [1]}), tmp_path / "numbers.parquet")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1")
    for name, message in [
        ("empty", "no images in"),
        ("numbers.parquet", "has the columns x, no image: give restore.image_column"),
        ("torn.parquet", "is neither an image nor readable as parquet"),
    ]:
        with pytest.raises(InputError, match=message):
            restored(NOISE, input=tmp_path / name)
    with pytest.raises(InputError, match="no folder"):
        RestoreOptions(input=tmp_path, clean=tmp_path / "nowhere").check()
    with pytest.raises(InputError, match="nothing at"):
        RestoreOptions(input=tmp_path / "nowhere").check()


def test_what_the_stage_wrote_is_refused_and_left_out_of_a_folder_above_it(restored, tmp_path, caplog):
    restored(NOISE, limit=2)
    with pytest.raises(InputError, match="is where this stage writes"):
        restored(NOISE, input=tmp_path / "restored/_corrupted")
    folder_of(tmp_path, own__png=SCENE)
    (tmp_path / "model").rename(tmp_path.parent / f"{tmp_path.name} model")  # which holds no image
    for _ in range(2):
        table = restored(NOISE, input=tmp_path).table.query("left_out.isna()")
        assert table["path"].tolist() == ["own.png"]
    assert "is where this stage writes: left out" in caplog.text


def test_linked_folders_are_followed_but_not_in_circles(restored, tmp_path):
    folder_of(tmp_path / "elsewhere", b__png=SCENE)
    given = folder_of(tmp_path / "given", a__png=SCENE)
    (given / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(given)
    assert sorted(restored(NOISE, input=given).table["path"]) == ["a.png", "linked/b.png"]


def test_a_file_that_may_not_be_read_is_left_out(restored, tmp_path, monkeypatch):
    given = folder_of(tmp_path / "given", a__png=SCENE, b__png=SCENE)
    read = type(given).read_bytes

    def refusing(path):
        if path.name == "a.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(type(given), "read_bytes", refusing)
    table = restored(NOISE, input=given).table
    assert table["path"].tolist() == ["b.png", "a.png"]
    assert table["left_out"].dropna().tolist() == ["cannot be read: Permission denied"]


def test_a_given_file_that_may_not_be_read_is_refused(restored, tmp_path, monkeypatch):
    place = parquet(tmp_path / "some.parquet", [encoded(SCENE)])

    def refusing(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ae_pipelines.restoration.encoded.opened", refusing)
    with pytest.raises(InputError, match=r"some.parquet cannot be read \(Permission denied\)"):
        RestoreOptions(input=place).check()


def test_a_name_that_is_not_text_is_escaped(restored, tmp_path):
    given = folder_of(tmp_path / "given", a__png=SCENE)
    (given / "a.png").rename(given / "\udcff.png")
    (given / "\udcfe.txt").write_text("no image")
    table = restored(NOISE, input=given).table
    assert table["path"].tolist() == ["_xff.png", "\\xfe.txt"]
    table.to_parquet(tmp_path / "table.parquet")


def test_an_animation_gives_its_first_picture_with_a_warning(restored, tmp_path, caplog):
    (given := tmp_path / "given").mkdir()
    frames = [Image.fromarray(SCENE), Image.fromarray(255 - SCENE)]
    frames[0].save(given / "moving.png", save_all=True, append_images=frames[1:])
    folder_of(tmp_path / "clean", moving__png=SCENE)
    row = restored(NOISE, input=given, clean=tmp_path / "clean").table.iloc[0]
    assert row["identity_psnr"] == pytest.approx(100), "it is the first picture"
    assert "moving.png: the first of several frames or pages is restored" in caplog.text


def test_a_damaged_clean_file_is_not_compared_with_but_the_image_is_restored(restored, tmp_path, caplog):
    given = folder_of(tmp_path / "given", a__png=SCENE, b__png=SCENE)
    clean = folder_of(tmp_path / "clean", a__png=SCENE)
    (clean / "b.png").write_bytes(b"torn")
    table = restored(NOISE, input=given, clean=clean).table.set_index("path")
    assert table["left_out"].isna().all()
    assert table["psnr"].notna().tolist() == [True, False]
    assert "b.png is left out of the comparison: not a PNG" in caplog.text


def test_clean_images_none_of_which_has_a_given_name_are_refused_before_any_work(restored, tmp_path):
    given = folder_of(tmp_path / "given", a__png=SCENE)
    clean = folder_of(tmp_path / "clean", b__png=SCENE)
    for work in (RestoreOptions(input=given, clean=clean).check, lambda: restored(NOISE, input=given, clean=clean)):
        with pytest.raises(
            InputError, match="none of the 1 files in .*clean has the name of a given image, such as a.png"
        ):
            work()


def test_a_clean_image_of_the_very_name_comes_before_one_with_another_extension(restored, tmp_path):
    given = folder_of(tmp_path / "given", a__png=SCENE)
    clean = folder_of(tmp_path / "clean", a__png=SCENE, a__tif=255 - SCENE)
    assert restored(NOISE, input=given, clean=clean).table["identity_psnr"][0] == pytest.approx(100)


def test_what_becomes_of_an_image_does_not_depend_on_which_others_there_are(restored, tmp_path):
    given = folder_of(tmp_path / "given", b__png=SCENE, c__png=SCENE)
    first = restored(NOISE, input=given, corrupt=True).table.set_index("path")["identity_psnr"]
    folder_of(given, a__png=SCENE)
    second = restored(NOISE, input=given, corrupt=True).table.set_index("path")["identity_psnr"]
    assert second.loc[first.index].tolist() == first.tolist()
    assert second.nunique() == 3, "each by noise of its own"


def test_an_image_that_is_enlarged_again_is_cut_to_whole_cells_and_keeps_its_alpha(restored, tmp_path):
    alpha = np.random.default_rng(0).integers(0, 256, SCENE.shape[:2], dtype=np.uint8)
    given = folder_of(tmp_path / "given", odd__png=np.dstack([SCENE, alpha])[:29])
    row = restored({"kind": "downscale"}, input=given, corrupt=True).table.iloc[0]
    assert (row["height"], row["width"]) == (28, 44)
    assert np.isfinite(row["bicubic_psnr"])
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "restored/odd.png"))[..., 3], alpha[:28, :44])
    assert Image.open(tmp_path / "restored/_corrupted/odd.png").size == (22, 14)


def test_images_in_a_parquet_file_are_enlarged_with_their_alpha(restored, tmp_path):
    clear = np.dstack([SCENE, SCENE[..., 0]])
    rows = [{"bytes": encoded(SCENE), "path": "a/first.jpg"}, {"bytes": encoded(clear), "path": None}, None]
    table = restored({"kind": "downscale"}, input=parquet(tmp_path / "some.parquet", rows)).table
    assert table["path"].tolist()[:2] == ["a/first.png", "some/00001.png"]
    assert table["left_out"].dropna().tolist() == ["empty file"]
    with Image.open(tmp_path / "restored/some/00001.png") as image:
        assert (image.size, image.mode) == ((90, 60), "RGBA")
        made = np.asarray(image.resize((45, 30), Image.Resampling.BOX))[..., 3]
        assert np.abs(made.astype(int) - clear[..., 3]).max() <= 2


def test_a_colour_profile_is_kept_but_not_in_an_image_without_colours(restored, tmp_path):
    (given := tmp_path / "given").mkdir()
    (given / "a.png").write_bytes(encoded(SCENE, icc_profile=PROFILE))
    restored({"kind": "greyscale"}, input=given, corrupt=True)
    with Image.open(tmp_path / "restored/a.png") as made, Image.open(tmp_path / "restored/_corrupted/a.png") as grey:
        assert made.info["icc_profile"] == PROFILE
        assert (grey.mode, "icc_profile" in grey.info) == ("L", False)


def test_a_single_image_may_be_given(restored, tmp_path):
    Image.fromarray(SCENE).save(tmp_path / "scene.jpg")
    table = restored(NOISE, input=tmp_path / "scene.jpg").table
    assert table["path"].tolist() == ["scene.png"]
    assert table["height"].tolist() == [30]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clean": "x"}, "give input="),
        ({"input": "x", "clean": "x", "corrupt": True}, "leave clean out"),
        ({"limit": 0}, "limit"),
        ({"inptu": "x"}, "Did you mean 'input'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        RestoreOptions.model_validate(options)


def test_files_of_16_bits_are_scaled_as_the_samples_of_the_training(restored, tmp_path):
    samples = write_store(tmp_path / "deep", InRange(np.full((60, 1, 16, 12), 1500, np.uint16)))
    given = tmp_path / "given"
    given.mkdir()
    Image.fromarray(np.full((16, 12), 2000, np.uint16)).save(given / "deep.tif")
    Image.fromarray(np.full((16, 12), 4, np.uint8)).save(given / "shallow.png")  # 4 x 257 = 1028
    restored({**NOISE, "noise_level": 0.0}, samples=samples, input=given, corrupt=True)
    shown = {path.stem: np.asarray(Image.open(path)) for path in (tmp_path / "restored/_corrupted").glob("*.png")}
    assert set(shown["deep"].ravel()) == {128}
    assert set(shown["shallow"].ravel()) == {round(255 * 0.014)}


class InRange(ArraySource):
    def spec(self):
        return super().spec().with_range(1000, 3000)
