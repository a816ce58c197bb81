"""12-bit images, from files to scores of new ones."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from ae_pipelines.samples.store import Samples
from ae_pipelines.scoring.onnx.saved import OnnxModels

RECIPE = {"name": "dense", "model": {"latent_size": 4, "net": {"widths": [32]}}, "loader": {"batch_size": 32}}


def shots(folder, count, seed):
    """12-bit grey TIFFs of stripes, upright or lying, in a folder a class."""
    random = np.random.default_rng(seed)
    for number in range(count):
        stripes = 2000 + 1800 * np.sin(np.arange(16) * random.uniform(0.5, 1) + random.uniform(0, 6))
        image = stripes[:, None] + random.normal(0, 30, (16, 16))
        label = ("upright", "lying")[number % 2]
        (folder / label).mkdir(parents=True, exist_ok=True)
        values = (image.T if label == "upright" else image).clip(0, 4095).astype(np.uint16)
        Image.fromarray(values).save(folder / label / f"{number:03}.tif")
    return {"name": "image_folder", "path": str(folder), "labels": "folder", "colour": "grey"}


def test_12_bit_tiffs_are_learned_from_shown_exported_and_scored_in_their_depth(run, tmp_path):
    recipe = RECIPE | {"training": {"epochs": 3, "threads": 1}}
    data = run("train", source=shots(tmp_path / "raw", 300, 0), recipe=recipe)
    samples = Samples(data / "02_intermediate/samples")
    assert len(np.unique(samples.read())) > 1000  # 16 where they are cut to 8 bits
    low, high = samples.spec.range
    assert 0 <= low < 300
    assert 3700 < high <= 4095
    picture = np.asarray(Image.open(data / "08_reporting/examples.png").convert("L"))
    middle = picture[len(picture) // 4 :]
    assert np.percentile(middle, 5) < 60, "samples are shown in black and white, not in shades of black"
    assert np.percentile(middle, 50) > 60
    metrics = json.loads((data / "08_reporting/export_metrics.json").read_text())
    assert metrics["encoder_difference"] <= 1e-4
    contract = OnnxModels.load(data / "06_models/onnx").contract
    assert contract.files["scorer"].takes[0].dtype == "uint16"
    run("score", source=shots(tmp_path / "new", 40, 1), recipe=recipe)
    (batch,) = (data / "07_model_output/scores").glob("*/*.parquet")
    scores = pd.read_parquet(batch)
    assert len(scores) == 40
    known = pd.read_parquet(data / "07_model_output/latents.parquet")["reconstruction_error"]
    assert scores["reconstruction_error"].median() < 2 * known.median()
