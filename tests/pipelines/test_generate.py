"""New samples: real runs on digits."""

import json

import numpy as np
import pandas as pd
import pytest

from ae_pipelines.base.errors import InputError

PICTURES = ("new_samples", "interpolation", "manifold", "arithmetic", "traversal", "gaps")
JUDGE = {"steps": 60, "channels": [8, 16], "threads": 1, "learning_rate": 1e-2}
QUICK = {"judged": 300, "grid": 6, "count": 12, "judge": JUDGE}
TRAINING = {"epochs": 8, "threads": 1, "learning_rate": 5e-3, "patience": None}


def small(name: str, **model) -> dict:
    return {"name": name, "model": model, "loader": {"batch_size": 64}, "training": TRAINING}


def metrics(data) -> dict:
    return json.loads((data / "08_reporting/generate_metrics.json").read_text())


@pytest.mark.parametrize(
    ("recipe", "encodes", "conditional"),
    [
        (small("dense", latent_size=2), True, False),
        (small("cvae", latent_size=4), True, True),
        (small("gan", latent_size=4), False, False),
        (small("cgan", latent_size=4), False, True),
    ],
)
def test_every_kind_of_method_makes_samples_pictures_and_numbers(
    run, mlflow_runs, capsys, recipe, encodes, conditional
):
    data = run("ingest", "fit", "generate", recipe=recipe, generate=QUICK)
    table = pd.read_parquet(data / "07_model_output/generated/generated.parquet")
    samples = np.load(data / "07_model_output/generated/samples.npy")
    assert len(table) == len(samples) == len(list((data / "07_model_output/generated").glob("*.png"))) == 12
    assert samples.dtype == np.uint8
    assert table["class"].notna().all() == conditional
    found = metrics(data)
    assert 0 <= found["coverage"] <= found["train_coverage"] <= 1
    assert found["judge_accuracy"] > 0.7
    assert ("class_agreement" in found) == conditional
    assert ("far_share" in found) == encodes
    said = capsys.readouterr().out
    assert f"coverage                              {found['coverage']:12.4g}{found['train_coverage']:12.4g}" in said
    (record,) = mlflow_runs()
    assert record.info.status == "FINISHED"
    assert record.data.metrics["generate/coverage"] == found["coverage"]
    kept = {path.name for path in (data.parent / "mlartifacts").rglob("*") if path.is_file()}
    assert {*(f"{name}.png" for name in PICTURES), "interpolation.gif"} <= kept


def test_the_same_seed_makes_the_same_files_and_the_judge_is_trained_once(ran, run, caplog):
    recipe = small("cvae", latent_size=4)
    data = ran("ingest", "fit", "generate", recipe=recipe, generate=QUICK)
    folders = ("07_model_output/generated", "08_reporting")
    names = ("generated.parquet", "generate_metrics.json", "interpolation.gif", "samples.npy")
    files = [path for folder in folders for path in sorted((data / folder).iterdir()) if path.name in names]
    before = [path.read_bytes() for path in files]
    assert len(before) == len(names)
    caplog.clear()
    run("generate", recipe=recipe, generate=QUICK)
    assert [path.read_bytes() for path in files] == before
    assert "training a classifier" not in caplog.text


def test_the_gaps_of_two_latent_spaces_are_beside_each_other(run, tmp_path):
    run("ingest", "fit", recipe=small("vae", latent_size=2))
    other = tmp_path / "other"
    (tmp_path / "data").rename(other)
    data = run(
        "ingest", "fit", "generate", recipe=small("dense", latent_size=2), generate=QUICK | {"beside": str(other)}
    )
    found = metrics(data)
    assert {"far_share", "far_share_beside"} <= set(found)
    assert found["far_share"] != found["far_share_beside"]


def test_samples_that_are_no_images_and_have_no_labels_are_made_too(run, tmp_path):
    random = np.random.default_rng(0)
    np.save(tmp_path / "values.npy", (random.standard_normal((400, 3)) @ random.standard_normal((3, 6))).astype("f4"))
    source = {"name": "array", "path": str(tmp_path / "values.npy"), "layout": "NF"}
    data = run("ingest", "fit", "generate", source=source, recipe=small("dense", latent_size=3), generate=QUICK)
    assert np.load(data / "07_model_output/generated/samples.npy").shape == (12, 6)
    assert not list((data / "07_model_output/generated").glob("*.png"))
    assert set(metrics(data)) == {"samples", "far_share"}
    for picture in PICTURES:
        assert (data / f"08_reporting/{picture}.png").exists()


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        (
            small("dense", latent_size=2),
            {"between": ["digits/9998", "digits/9999"]},
            "no sample is called digits/9998",
        ),
        (small("dense", latent_size=3), {"manifold": True}, "latents of this autoencoder have 3 numbers"),
        (small("siamese"), {}, "siamese has no decoder, so generate cannot run: choose a method with one"),
        (small("conv_denoising"), {}, "those of recipe conv_denoising are feature maps, too many numbers to draw anew"),
        (small("cgan"), {"classes": ["ten"]}, "no class is called ten; there are 0, 1, 2"),
        (small("gan"), {"classes": ["1"]}, "this gan was trained without labels"),
        (small("dense"), {"beside": "/nowhere"}, "generate.beside: no trained model in /nowhere/06_models/autoencoder"),
    ],
)
def test_what_cannot_be_made_is_refused_before_training(run, tmp_path, recipe, options, message):
    with pytest.raises(InputError, match=message):
        run("ingest", "fit", "generate", recipe=recipe, generate=QUICK | options)
    assert not (tmp_path / "data/06_models").exists()


def test_what_is_refused_overwrites_nothing(ran, run):
    recipe = small("cvae", latent_size=4)
    data = ran("ingest", "fit", "generate", recipe=recipe, generate=QUICK)
    files = [path for path in data.rglob("*") if path.is_file() and path.parent.name != "02_intermediate"]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files}
    for options, message in (
        ({"manifold": True}, "latents of this vae have 4 numbers"),
        ({"classes": ["ten"]}, "no class is called ten"),
        ({"between": ["a", "b"]}, "no sample is called a, b"),
        ({"beside": "/nowhere"}, "no trained model in /nowhere"),
    ):
        with pytest.raises(InputError, match=message):
            run("generate", recipe=recipe, generate=QUICK | options)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in files} == before
    judge = data / "06_models/judge.checkpoint"
    judge.write_bytes(judge.read_bytes()[:-1])
    with pytest.raises(InputError, match="judge.checkpoint is damaged: delete it"):
        run("generate", recipe=recipe, generate=QUICK)
    assert all((path.stat().st_mtime_ns, path.stat().st_size) == before[path] for path in files if path != judge)
