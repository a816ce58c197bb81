"""ONNX files of a real run on digits, and the examples of the documentation run on them."""

import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from making import PATIENCE, PROJECT

from ae_pipelines.base.errors import InputError
from ae_pipelines.io.onnx_models import OnnxModelsDataset
from ae_pipelines.samples.store import Samples


@pytest.mark.slow
def test_a_run_writes_files_that_are_used_without_this_project(ran, run, mlflow_runs, tmp_path):
    data = ran("train")
    metrics = json.loads((data / "08_reporting/export_metrics.json").read_text())
    assert metrics["files"] == 3
    assert metrics["scorer_latent_difference"] < 1e-4
    (record,) = mlflow_runs()
    assert record.data.metrics["export/encoder_difference"] == metrics["encoder_difference"]
    models = OnnxModelsDataset(filepath=str(data / "06_models/onnx")).load()
    assert models.contract.run_id == record.info.run_id

    np.save(tmp_path / "images.npy", Samples(data / "02_intermediate/samples").read())
    examples = re.findall(r"```python\n(.*?)```", (PROJECT / "docs/use_anywhere.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    encoder, scorer = (printed(example, tmp_path) for example in examples)
    assert encoder.startswith("(1797, 32) float32")
    predictions = pd.read_parquet(data / "07_model_output/predictions.parquet")
    assert scorer.split()[0] == predictions["predicted"][0]

    run("fit", recipe={"name": "dense", "training": {"epochs": 1, "threads": 1, "seed": 5}})
    with pytest.raises(InputError, match="fitted on 32 latents of encoder"):
        run("export")
    assert OnnxModelsDataset(filepath=str(data / "06_models/onnx")).load().contract == models.contract


def printed(example, folder):
    """What a script prints that cannot import this project, nor torch."""
    alone = "import sys\nsys.modules.update(dict.fromkeys(['ae_pipelines', 'torch', 'onnx']))\n"
    done = subprocess.run(
        [sys.executable, "-c", alone + example], cwd=folder, text=True, capture_output=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
