"""The folder: written whole, read verified, as a Kedro dataset too."""

import pytest
from making import names_in

from ae_pipelines.base.errors import InputError
from ae_pipelines.io.onnx_models import OnnxModelsDataset
from ae_pipelines.samples.spec import SampleSpec
from ae_pipelines.scoring.onnx.onnx_contract import OnnxContract, OnnxFile
from ae_pipelines.scoring.onnx.saved import OnnxExport, OnnxModels, sha256


def export_of(left_out=(), **contents):
    """These bytes as files."""
    files = {
        part: OnnxFile(file=f"{part}.onnx", takes=(), gives=(), parity={}, sha256=sha256(content))
        for part, content in contents.items()
    }
    contract = OnnxContract(
        files=files,
        left_out={part: f"no {part} today" for part in left_out},
        samples=SampleSpec(shape=(1, 8, 8), dtype="uint8"),
        latent_shape=(4,),
        classes=("a", "b"),
        groups=2,
        anomaly_threshold=0.5,
        kinds={"cluster": "kmeans"},
        compared_rows=9,
        tolerance=1e-4,
        opset=20,
        versions={},
        models="0" * 64,
        encoder_sha256="e",
        preprocessing_sha256="p",
        recipe="dense",
    )
    return OnnxExport(contents, contract)


@pytest.fixture
def dataset(tmp_path):
    return OnnxModelsDataset(filepath=str(tmp_path / "onnx"))


def test_what_is_saved_is_loaded(dataset):
    assert not dataset.exists()
    saved = export_of(encoder=b"one", scorer=b"two")
    dataset.save(saved)
    assert dataset.exists()
    loaded = dataset.load()
    assert loaded.contract == saved.contract
    assert loaded.path("scorer").read_bytes() == b"two"
    assert '"anomaly_threshold": 0.5' in dataset.preview()
    assert names_in(loaded.folder) == ["contract.json", "encoder.onnx", "scorer.onnx"]


def test_a_file_that_is_left_out_now_is_gone_and_asking_for_it_says_why(dataset):
    dataset.save(export_of(encoder=b"one", scorer=b"two"))
    dataset.save(export_of(["scorer"], encoder=b"three"))
    loaded = dataset.load()
    assert names_in(loaded.folder) == ["contract.json", "encoder.onnx"]
    with pytest.raises(InputError, match=r"there is no scorer\.onnx in .*: no scorer today"):
        loaded.path("scorer")


def test_a_damaged_or_missing_file_is_refused_by_name(tmp_path):
    export_of(encoder=b"one", scorer=b"two").into(tmp_path)
    (tmp_path / "scorer.onnx").write_bytes(b"tw0")
    with pytest.raises(InputError, match=r"scorer\.onnx is not what was written.*: run export again"):
        OnnxModels.load(tmp_path)
    (tmp_path / "scorer.onnx").unlink()
    with pytest.raises(InputError, match=r"scorer\.onnx is not what was written.*: run export again"):
        OnnxModels.load(tmp_path)


def test_the_program_that_makes_features_of_rows_lies_beside_and_is_gone_with_them(tmp_path):
    made = export_of(encoder=b"one")
    program = b"import numpy"
    with_rows = made.contract.model_copy(update={"features_sha256": sha256(program)})
    OnnxExport(made.contents, with_rows, program).into(tmp_path)
    assert OnnxModels.load(tmp_path).contract == with_rows
    (tmp_path / "features.py").write_bytes(b"import os")
    with pytest.raises(InputError, match=r"features\.py is not what was written"):
        OnnxModels.load(tmp_path)
    made.into(tmp_path)
    OnnxModels.load(tmp_path)
    assert names_in(tmp_path) == ["contract.json", "encoder.onnx"]


@pytest.mark.parametrize("text", ["", "{}", '{"files": 3}'])
def test_a_damaged_contract_is_refused(tmp_path, text):
    export_of(encoder=b"one").into(tmp_path)
    (tmp_path / "contract.json").write_text(text)
    with pytest.raises(InputError, match=r"contract\.json is not what was written"):
        OnnxModels.load(tmp_path)


def test_an_empty_folder_is_refused_with_the_command_that_fills_it(tmp_path):
    with pytest.raises(InputError, match=r"no ONNX models in .*: run export first"):
        OnnxModels.load(tmp_path)


def test_a_writer_that_dies_leaves_the_files_of_before(tmp_path, monkeypatch):
    export_of(encoder=b"one", scorer=b"two").into(tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("ae_pipelines.base.atomic.publish", die)
        export_of(encoder=b"three", scorer=b"four").into(tmp_path)
    assert OnnxModels.load(tmp_path).path("encoder").read_bytes() == b"one"
    assert not list(tmp_path.parent.glob(".*.tmp"))
