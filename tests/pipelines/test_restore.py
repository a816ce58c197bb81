"""Images cleaned up: real runs on patches of two photographs."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ae_pipelines.base.errors import InputError
from ae_pipelines.samples.store import Samples

QUICK = {
    "name": "denoise_photos",
    "model": {"width": 24, "blocks": 1},
    "training": {"epochs": 2, "threads": 1, "learning_rate": 5e-3},
}


@pytest.fixture
def restore(ran, run):
    """Restores with a denoiser that was trained; gives the data folder."""
    ran("ingest", "fit", recipe=QUICK)
    return lambda recipe=QUICK, **options: run("restore", source="photos", recipe=recipe, restore=options)


@pytest.fixture(scope="module")
def photo():
    """uint8 (60, 90, 4): a soft scene, transparent on the left."""
    y, x = np.mgrid[:60, :90] / 90
    colours = np.stack([x, 0.5 + 0.4 * np.sin(9 * y), 1 - x, x > 0.3], axis=-1)
    return (255 * colours).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, photo):
    """Images of several sizes and kinds, and a file that is none."""
    place = tmp_path / "given"
    (place / "deeper").mkdir(parents=True)
    Image.fromarray(photo).save(place / "with alpha.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.fromarray(photo[..., :3]).save(place / "deeper/turned.jpg", exif=exif, quality=95)
    Image.fromarray(photo[:9, :11, 0]).save(place / "grey.png")
    (place / "notes.txt").write_text("not an image")
    return place


def read(data):
    return pd.read_parquet(data / "07_model_output/restored.parquet")


def test_test_samples_are_cleaner_than_they_were_and_everything_is_on_record(restore, mlflow_runs, capsys):
    data = restore(limit=20)
    assert "20 images restored, 0 left out           PSNR (dB)" in capsys.readouterr().out
    table, metrics = read(data), json.loads((data / "08_reporting/restore_metrics.json").read_text())
    assert len(table) == 20 == metrics["images"]
    assert metrics["psnr"] == pytest.approx(table["psnr"].mean())
    assert metrics["psnr"] > metrics["identity_psnr"] + 2
    assert {"blur_psnr", "median_ssim", "non_local_means_psnr"} <= metrics.keys()
    record = mlflow_runs()[-1].data.metrics
    assert record["restore/psnr"] == metrics["psnr"]
    place = data / "07_model_output/restored"
    samples = Samples(data / "02_intermediate/samples")
    clean = dict(zip(samples.index["sample_id"], samples.read(), strict=True))
    for row in table.head(3).itertuples():
        made = np.asarray(Image.open(place / row.path)).transpose(2, 0, 1)
        error = np.mean((made / 255 - clean[row.path.removesuffix(".png")] / 255) ** 2)
        assert row.psnr == pytest.approx(-10 * np.log10(error), abs=1e-3), "of the very file that was written"
        assert (place / "_corrupted" / row.path).exists()
    assert (data / "08_reporting/restored.png").stat().st_size > 10_000


def test_files_keep_size_names_alpha_and_stand_upright_and_what_is_no_image_is_listed(restore, folder, photo):
    data = restore(input=str(folder))
    place, table = data / "07_model_output/restored", read(data).set_index("path")
    assert {str(path.relative_to(place)) for path in place.rglob("*.png")} == {
        "with alpha.png",
        "deeper/turned.png",
        "grey.png",
    }
    with Image.open(place / "with alpha.png") as image:
        assert image.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(image)[..., 3], photo[..., 3])
    with Image.open(place / "deeper/turned.png") as image:
        assert image.size == (60, 90)
        assert image.getexif().get(0x0112, 1) == 1
        made = np.asarray(image).astype(float)
        expected = photo[..., :3].transpose(1, 0, 2)[:, ::-1].astype(float)
        assert np.abs(made - expected).mean() < 25, "turned as it is looked at"
    assert table.loc["grey.png", ["height", "width"]].tolist() == [9, 11]
    assert table["psnr"].isna().all()
    assert table.loc["notes.txt", "left_out"] == "not a PNG, JPEG, GIF, BMP, TIFF or WebP image"
    assert json.loads((data / "08_reporting/restore_metrics.json").read_text()) == {"images": 3.0, "left_out": 1.0}


def test_what_cannot_be_restored_is_refused_and_nothing_is_overwritten(restore, tmp_path):
    data = restore(limit=2)
    place = data / "07_model_output/restored"
    before = {path: path.read_bytes() for path in place.rglob("*.png")}
    (texts := tmp_path / "texts").mkdir()
    (texts / "a.png").write_text("no image")
    louder = QUICK | {"loader": {"corruptions": [{"kind": "gaussian_noise", "noise_level": 0.3}]}}
    for recipe, options, message in [
        (QUICK, {"input": "/nowhere"}, "nothing at /nowhere"),
        (QUICK, {"input": str(texts)}, r"none of 1 files in .* is an image that can be used: a.png \(not a PNG"),
        (
            {"name": "enlarge_photos"},
            {},
            r"undoes gaussian_noise \(recipe denoise_photos\), not downscale \(recipe enl",
        ),
        (
            louder,
            {},
            "gaussian_noise with noise_level 0.1, clip True .* not gaussian_noise with noise_level 0.3, clip Fa",
        ),
        ({"name": "dense"}, {}, "recipe dense has no corruption to undo, so restore cannot run"),
        ({"name": "siamese"}, {}, "is a siamese, which gives no images"),
    ]:
        with pytest.raises(InputError, match=message):
            restore(recipe, **options)
    assert {path: path.read_bytes() for path in place.rglob("*.png")} == before
    assert not list(place.parent.glob(".*.tmp*")), "and nothing is left beside it"


def test_a_restorer_has_nothing_to_embed(run):
    with pytest.raises(InputError, match="restorer has no encoder, so embed cannot run"):
        run("ingest", "fit", "embed", recipe=QUICK)


def test_images_that_are_not_enlarged_by_a_whole_number_are_refused_before_training(run, tmp_path):
    recipe = {
        "name": "dense",
        "loader": {"corruptions": [{"kind": "downscale", "factor": 3}]},
        "training": {"epochs": 1, "threads": 1},
    }
    with pytest.raises(InputError, match=r"3 x 3 pixels are to become 8 x 8 .*enlarged by whole numbers"):
        run("ingest", "fit", "restore", source="digits", recipe=recipe)
    assert not (tmp_path / "data/06_models").exists()
