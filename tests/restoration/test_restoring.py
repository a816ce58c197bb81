"""Whole pieces of work by untrained models: what is measured, shown and refused does not depend on training."""

import json

import numpy as np
import pandas as pd
import pytest
from making import ArraySource, images
from scenes import NOISE, SCENE, folder_of

from ae_pipelines.base.errors import InputError
from ae_pipelines.models.contract import Task
from ae_pipelines.models.corruptions import CorruptionChoice
from ae_pipelines.pipelines.restore import nodes
from ae_pipelines.plots import restored as plots
from ae_pipelines.restoration import restoring
from ae_pipelines.restoration.baselines import Baseline
from ae_pipelines.restoration.options import RestoreOptions
from ae_pipelines.samples.ingest import write_store
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.training.recipe import Recipe
from ae_pipelines.training.trained import TrainedModel

PATCHES = {"kind": "patches", "size": 0.3}
LARGE = np.kron(SCENE, np.ones((10, 10, 1), np.uint8))
"""300 × 450 pixels."""


@pytest.mark.parametrize(
    ("corruption", "columns"),
    [
        ({"kind": "downscale"}, {"bicubic_psnr", "bilinear_ssim"}),
        ({"kind": "greyscale"}, {"chroma_psnr", "grey_chroma_psnr", "grey_chroma_error", "mean_colour_psnr"}),
        ({"kind": "watermark"}, {"inside_error", "outside_error", "identity_inside_error"}),
        (PATCHES, {"inside_error", "biharmonic_psnr"}),
    ],
)
def test_every_task_is_measured_by_what_matters_for_it(restored, corruption, columns):
    done = restored(corruption, limit=3)
    assert len(done.table) == 3 == len(done.shown)
    assert columns <= set(done.table)
    assert done.table[list(columns)].notna().all(axis=None)
    if "inside_error" in columns:
        inside, before = done.table["inside_error"].mean(), done.table["identity_inside_error"].mean()
        assert done.metrics["removed_inside"] == pytest.approx(1 - inside / before)
        assert done.table["identity_outside_error"].max() < 1e-6


@pytest.mark.parametrize("other", [NOISE, PATCHES, {"kind": "salt_and_pepper"}])
@pytest.mark.parametrize("first", [{"kind": "downscale"}, {"kind": "greyscale"}])
def test_two_corruptions_at_once_have_all_their_controls(restored, first, other):
    table = restored([first, other], limit=3).table
    controls = {NOISE["kind"]: "non_local_means", "patches": "biharmonic", "salt_and_pepper": "median"}
    assert table[f"{controls[other['kind']]}_psnr"].notna().all()


def test_black_images_are_restored_where_holes_are_black(restored, tmp_path):
    given = folder_of(tmp_path / "given", a__png=np.zeros((20, 20, 3), np.uint8), b__png=SCENE)
    for options in ({}, {"corrupt": True}, {"clean": given}):
        assert len(restored(PATCHES, input=given, **options).table) == 2
    everything = restored(PATCHES | {"size": 1.0}, input=given, corrupt=True)
    assert everything.table["left_out"].isna().all()


def test_the_best_baseline_is_the_one_with_the_highest_psnr(restored):
    done = restored(NOISE, limit=5)
    means = {name: done.table[f"{name}_psnr"].mean() for name in ("identity", "blur", "median", "non_local_means")}
    assert done.best_baseline == max(means, key=means.get)


def test_a_control_that_could_not_take_all_images_has_no_mean_beside_the_others(restored, tmp_path):
    given = folder_of(tmp_path / "given", small__png=SCENE, large__png=LARGE)
    done = restored(PATCHES, input=given, corrupt=True)
    assert done.table["biharmonic_psnr"].notna().sum() == 1
    assert {"psnr", "identity_psnr", "inside_error"} <= done.metrics.keys()
    assert not [name for name in done.metrics if name.startswith("biharmonic")]
    assert done.best_baseline == "identity"


def test_controls_are_made_of_what_is_measured_or_shown_alone(restored, tmp_path, monkeypatch):
    made = []
    work = Baseline.__call__
    monkeypatch.setattr(Baseline, "__call__", lambda self, x, *_: made.append(x.shape) or work(self, x, *_))
    given = folder_of(tmp_path / "given", **{f"{number:02d}__png": LARGE for number in range(12)})
    assert len(restored(NOISE, input=given).shown) == 8
    assert len(made) == 8 * 4
    assert set(made) == {(3, 128, 128)}


def test_the_same_seed_corrupts_the_same_way(restored):
    first, again, other = (restored(NOISE, limit=4, seed=seed).table["psnr"].tolist() for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_clean_images_are_corrupted_first_if_asked_which_equals_giving_both(restored, tmp_path):
    given = folder_of(tmp_path / "given", scene__png=SCENE)
    first = restored(NOISE, input=given, corrupt=True).table
    (tmp_path / "restored/_corrupted").rename(tmp_path / "corrupted")
    second = restored(NOISE, input=tmp_path / "corrupted", clean=given).table
    assert second["psnr"][0] == pytest.approx(first["psnr"][0], abs=0.1), "but for the rounding of the corrupted file"
    assert not (tmp_path / "restored/_corrupted").exists(), "nothing is left of the run before"


def test_an_autoencoder_restores_images_of_other_sizes_too(restored, tmp_path):
    given = folder_of(tmp_path / "given", larger__png=SCENE, smaller__png=SCENE[:5, :7])
    model = {"kind": "autoencoder", "latent_size": 4, "net": {"kind": "conv", "channels": [4], "latent": "map"}}
    done = restored(NOISE, model, input=given)
    sizes = done.table.set_index("path")[["height", "width"]]
    assert sizes.loc["larger.png"].tolist() == [30, 45]
    assert sizes.loc["smaller.png"].tolist() == [5, 7]


def test_a_clean_image_of_another_size_is_neither_compared_nor_shown(restored, tmp_path):
    given = folder_of(tmp_path / "given", a__png=LARGE)
    clean = folder_of(tmp_path / "clean", a__png=SCENE[:2, :2])
    done = restored(NOISE, input=given, clean=clean)
    assert done.table["psnr"].isna().all()
    assert done.shown[0].clean is None
    plots.restored(done.shown, done.best_baseline, done.recipe).canvas.draw()


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_of_large_images_the_same_middle_is_shown_of_each_kind_and_no_more_is_kept(restored, tmp_path, factor):
    side = 48
    samples = write_store(tmp_path / "store", ArraySource(images(60, (3, side, side))))
    given = folder_of(tmp_path / "given", a__png=LARGE[: 300 - 300 % factor, : 450 - 450 % factor])
    done = restored({"kind": "downscale", "factor": factor}, samples=samples, input=given, corrupt=True)
    shown = done.shown[0]
    assert shown.clean.shape == shown.restored.shape == (3, 128 // factor * factor, 128 // factor * factor)
    assert shown.corrupted.shape == (3, 128 // factor, 128 // factor)
    smaller = shown.clean.reshape(3, 128 // factor, factor, 128 // factor, factor).mean(axis=(2, 4))
    np.testing.assert_allclose(shown.corrupted, smaller, atol=1 / 255)
    for image in (shown.clean, shown.corrupted, shown.restored, *shown.baselines.values()):
        assert image.base is None, "a view would keep all of the image"


def test_images_much_smaller_than_what_is_made_of_them_are_shown(restored, tmp_path):
    samples = write_store(tmp_path / "store", ArraySource(images(60, (3, 160, 160))))
    done = restored({"kind": "downscale", "factor": 160}, samples=samples, limit=1)
    assert done.shown[0].corrupted.shape == (3, 1, 1)


def test_the_picture_has_the_name_of_the_models_recipe(colour_samples, tmp_path):
    recipe = recipe_for([NOISE], name="first")
    trained = trained_by(recipe, colour_samples)
    other = recipe.model_copy(update={"name": "second"})
    *_, picture = nodes.restore(colour_samples, trained, other, RestoreOptions(limit=2), tmp_path / "restored")
    assert picture.get_suptitle() == "first: images restored"


def test_nothing_is_replaced_if_the_picture_cannot_be_drawn(colour_samples, tmp_path, monkeypatch):
    recipe = recipe_for([NOISE])
    arguments = (colour_samples, trained_by(recipe, colour_samples), recipe, RestoreOptions(limit=2))
    (place := tmp_path / "restored").mkdir()
    (place / "before.png").touch()

    def failing(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(plots, "restored", failing)
    with pytest.raises(ZeroDivisionError):
        nodes.restore(*arguments, place)
    assert [path.name for path in tmp_path.rglob("*.png")] == ["before.png"]


def test_a_table_without_any_clean_image_has_empty_columns(restored, tmp_path):
    done = restored(NOISE, input=folder_of(tmp_path / "given", a__png=SCENE))
    assert done.metrics == {"images": 1.0, "left_out": 0.0}
    assert done.best_baseline == "identity"
    assert pd.isna(done.table["psnr"][0])


def test_samples_of_another_shape_than_the_models_are_refused(digits, colour_samples, tmp_path):
    recipe = recipe_for([NOISE])
    trained = trained_by(recipe, colour_samples)
    given = folder_of(tmp_path / "given", a__png=SCENE)
    for options in (RestoreOptions(), RestoreOptions(input=given)):
        with (
            pytest.raises(InputError, match=r"these samples are not what the autoencoder was trained on: shape"),
            restoring.restored(trained, digits, recipe, options, tmp_path / "restored"),
        ):
            pass


def test_a_model_from_before_an_option_existed_is_taken_for_one_with_its_default(colour_samples, tmp_path):
    recipe = recipe_for([{"kind": "downscale"}])
    trained_by(recipe, colour_samples).save(tmp_path / "model")
    contract = json.loads((tmp_path / "model/contract.json").read_text())
    assert contract["corruptions"][0].pop("kernel") == "area"
    trained = trained_by(recipe, colour_samples)
    older = TrainedModel(trained.module, trained.contract.model_copy(update={"corruptions": contract["corruptions"]}))
    options, place = RestoreOptions(limit=1), tmp_path / "restored"
    with restoring.restored(older, colour_samples, recipe, options, place) as done:
        assert len(done.table) == 1
    bicubic = recipe_for([{"kind": "downscale", "kernel": "bicubic"}])
    with (
        pytest.raises(InputError, match="undoes downscale with kernel area .* not downscale with kernel bicubic"),
        restoring.restored(older, colour_samples, bicubic, options, place),
    ):
        pass


def test_a_task_whose_images_are_not_enlarged_by_a_whole_number_is_refused(digits, tmp_path):
    corruption = {"kind": "downscale", "factor": 3}
    recipe = recipe_for([corruption], model={"kind": "autoencoder", "latent_size": 4, "net": {"kind": "dense"}})
    message = r"3 x 3 pixels are to become 8 x 8 \(height x width\), but images are enlarged by whole numbers"
    with pytest.raises(InputError, match=message):
        RestoreOptions().check_shapes(recipe.task(digits))
    with (
        pytest.raises(InputError, match=message),
        restoring.restored(trained_by(recipe, digits), digits, recipe, RestoreOptions(), tmp_path / "restored"),
    ):
        pass
    RestoreOptions().check_shapes(recipe_for([corruption | {"factor": 4}]).task(digits))


@pytest.mark.parametrize(("factor", "times"), [(1, 1), (2, 2), (4, 4)])
def test_a_task_knows_how_many_times_larger_its_images_become(factor, times):
    spec = SampleSpec(shape=(3, 8, 12), dtype="uint8")
    seen = CorruptionChoice(kind="downscale", factor=factor).build().corrupted_spec(spec)
    assert Task(samples=spec, input_shape=seen.shape).enlargement == times


def recipe_for(corruptions, model=None, **others):
    model = model or {"kind": "restorer", "width": 4}
    return Recipe.model_validate({"model": model, "loader": {"corruptions": corruptions}, **others})


def trained_by(recipe, samples):
    task = recipe.task(samples)
    return TrainedModel.of(recipe.model.build(task), recipe, task, samples)
