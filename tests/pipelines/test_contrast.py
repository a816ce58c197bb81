"""The contrast with supervised learning, on digits."""

import json

import pandas as pd
import pytest

from ae_pipelines.base import seals
from ae_pipelines.base.errors import InputError

STAGES = ("ingest", "fit", "embed", "classify")
SMALL = {"draws": 1, "steps": 60, "channels": [8, 16], "threads": 1}
FEW = {"few_labels": [30, 300], "draws": 2}


def test_contrast_writes_curve_maps_and_metrics(ran, run, mlflow_runs):
    ran(*STAGES, classify=FEW)
    data = run("contrast", contrast=SMALL)
    found = json.loads((data / "08_reporting/contrast.json").read_text())
    few = json.loads((data / "08_reporting/few_labels.json").read_text())
    assert {name: found[name] for name in few} == few
    assert [point["labels"] for point in found["supervised"]] == [point["labels"] for point in few["latents"]]
    spaces = pd.read_parquet(data / "07_model_output/contrast_spaces.parquet")
    assert len(spaces["latents"][0]) == 32
    assert len(spaces["supervised_300"][0]) == 64
    metrics = json.loads((data / "08_reporting/contrast_metrics.json").read_text())
    *_, record = mlflow_runs()
    assert record.info.status == "FINISHED"
    assert record.data.metrics["contrast/supervised_error_300"] == metrics["supervised_error_300"]
    for picture in ("contrast_curve", "contrast_maps"):
        assert (data / f"08_reporting/{picture}.png").stat().st_size > 20_000
    kept = {path.name for path in (data.parent / "mlartifacts").rglob("*") if path.is_file()}
    assert {"contrast.json", "contrast_curve.png", "contrast_maps.png"} <= kept


def test_what_cannot_be_contrasted_is_refused_before_training(run, tmp_path):
    with pytest.raises(InputError, match=r"contrast\.augment turns samples of shape \(1, 8, 8\) into \(1, 4, 4\)"):
        run(*STAGES, "contrast", contrast={"augment": [{"kind": "downscale"}]})
    assert not (tmp_path / "data/06_models").exists()


def test_latents_of_an_earlier_ingest_are_refused(ran, run):
    data = ran(*STAGES, classify=FEW)
    manifest = data / "02_intermediate/samples/manifest.json"
    seals.write_text(manifest, json.dumps(json.loads(manifest.read_text()) | {"id": "another"}))
    with pytest.raises(InputError, match="the latents were made from the samples"):
        run("contrast", contrast=SMALL)
    assert not (data / "08_reporting/contrast.json").exists()
