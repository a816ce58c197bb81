"""Files for TensorBoard's projector, written and read back."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from making import ArraySource, images
from PIL import Image

from ae_pipelines.latents.file import Latents, LatentsInMemory
from ae_pipelines.report import projector
from ae_pipelines.report.projector import Projector, ProjectorOptions
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.store import Samples


def latents_of(samples: Samples, **columns: object) -> Latents:
    table = samples.index[["sample_id", "split", "label"]].assign(**columns)
    vectors = np.random.default_rng(0).normal(size=(len(samples), 3)).astype(np.float32)
    return LatentsInMemory(table, vectors, {"samples_id": samples.id})


@pytest.fixture
def written(tmp_path: Path):
    """The folder for these values, and the samples in their order there."""

    def written(
        values: np.ndarray, ids=None, labels=None, groups=None, options=None, **columns
    ) -> tuple[Path, Samples]:
        samples = write_store(tmp_path / "samples", ArraySource(values, labels, ids=ids))
        latents = latents_of(samples, **columns)
        Projector(latents, samples, groups, options or ProjectorOptions()).into(tmp_path / "projector")
        return tmp_path / "projector", samples

    return written


def table_of(folder: Path) -> pd.DataFrame:
    """As the projector reads it: lines, fields between tabs, no quotes."""
    names, *lines = (folder / "metadata.tsv").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return pd.DataFrame([line.split("\t") for line in lines], columns=names.split("\t"))


def thumbnails_of(folder: Path, side: int, pixels: int) -> np.ndarray:
    """The sheet's thumbnails in order, (side * side, pixels, pixels, channels)."""
    sheet = np.asarray(Image.open(folder / "sprite.png")).reshape(side, pixels, side, pixels, -1)
    return sheet.swapaxes(1, 2).reshape(side * side, pixels, pixels, -1)


def test_vectors_are_raw_little_endian_floats_in_the_order_of_the_table(written):
    folder, samples = written(images(7))
    vectors = np.fromfile(folder / "latents.bytes", "<f4").reshape(7, 3)
    assert np.array_equal(vectors, latents_of(samples).vectors)
    assert table_of(folder)["sample_id"].tolist() == samples.index["sample_id"].tolist()
    config = (folder / "projector_config.pbtxt").read_text()
    assert "tensor_shape: 7\n  tensor_shape: 3\n" in config


@pytest.mark.parametrize("channels", [1, 3])
def test_each_thumbnail_is_its_sample_to_the_pixel_where_there_is_room(written, channels):
    folder, samples = written(images(11, (channels, 6, 6)))
    found = thumbnails_of(folder, side=4, pixels=6)
    assert np.array_equal(found[:11], samples.read().transpose(0, 2, 3, 1))
    assert not found[11:].any()
    assert "single_image_dim: 6\n    single_image_dim: 6\n" in (folder / "projector_config.pbtxt").read_text()


def test_images_that_are_not_square_lie_in_the_middle_of_a_square_one(written):
    folder, samples = written(images(3, (1, 6, 4)))
    found = thumbnails_of(folder, side=2, pixels=6)[:3, ..., 0]
    assert np.array_equal(found[..., 1:5], samples.read()[:, 0])
    assert not found[..., [0, 5]].any()


def test_large_images_become_means_of_their_pixels_so_that_all_fit_on_a_sheet(written, monkeypatch):
    monkeypatch.setattr(projector, "SHEET", 9)
    folder, samples = written(images(4, (3, 8, 8)))
    means = samples.read().reshape(4, 3, 4, 2, 4, 2).mean(axis=(3, 5)).transpose(0, 2, 3, 1)
    assert np.abs(thumbnails_of(folder, side=2, pixels=4) - means).max() <= 1


def test_of_16_bits_the_upper_ones_are_shown(written):
    folder, samples = written(images(4, (1, 5, 5)).astype(np.uint16) * 256)
    shown = thumbnails_of(folder, side=2, pixels=5).transpose(0, 3, 1, 2)
    assert np.abs(shown - samples.read() / 256).max() <= 1


def test_of_other_channels_than_one_or_three_the_first_is_shown(written):
    folder, samples = written(images(4, (2, 6, 6)))
    assert np.array_equal(thumbnails_of(folder, side=2, pixels=6)[..., 0], samples.read()[:, 0])


def test_samples_that_are_no_images_have_no_thumbnails(written):
    folder, _ = written(np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32))
    assert not (folder / "sprite.png").exists()
    assert "sprite" not in (folder / "projector_config.pbtxt").read_text()


def test_the_table_has_the_columns_that_there_are(written):
    folder, _ = written(
        images(4), labels=["a", None, "b", None], groups=np.array([2, 0, -1, 1]), reconstruction_error=0.5
    )
    found = table_of(folder)
    assert found.columns.tolist() == ["sample_id", "label", "group", "split", "error"]
    assert found["label"].tolist() == ["a", "unlabelled", "b", "unlabelled"]
    assert found["group"].tolist() == ["2", "0", "-1", "1"]
    assert found["error"].tolist() == ["0.5"] * 4
    folder, _ = written(images(4))
    assert table_of(folder).columns.tolist() == ["sample_id", "split"]


def test_names_with_tabs_and_line_ends_stay_one_field_of_one_line(written):
    odd = ["a\tb", "c\nd", 'quoted "name"', "\u202egnp.exe", "é\x00\x1b[1m", "\u2028", " ", "plain"]
    folder, _ = written(images(8), ids=odd, labels=[*odd[:7], None])
    found = table_of(folder)
    assert found["sample_id"].tolist() == ["a b", "c d", 'quoted "name"', " gnp.exe", "é  [1m", " ", " ", "plain"]
    assert len(found.columns) == 3


def test_of_more_samples_than_it_shows_random_ones_are_taken_and_said(written, caplog):
    caplog.set_level("INFO")
    folder, samples = written(images(50), options=ProjectorOptions(samples=9, seed=1))
    ids = samples.index["sample_id"].tolist()
    places = [ids.index(name) for name in table_of(folder)["sample_id"]]
    assert len(places) == 9
    assert places == sorted(places)
    assert places != list(range(9))
    found = thumbnails_of(folder, side=3, pixels=6)[..., 0]
    assert np.array_equal(found[..., :5], samples.take(np.array(places))[:, 0])
    assert "shows 9 of 50 samples" in caplog.text
