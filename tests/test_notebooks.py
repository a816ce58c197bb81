"""Every notebook runs from top to bottom on the outputs of a digits run."""

import json

import pytest
from making import PROJECT


@pytest.mark.parametrize("path", sorted((PROJECT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_and_defines_nothing(path, digits, trained, tmp_path, monkeypatch):
    from ae_pipelines.latents.stream import write_latents
    from ae_pipelines.training import embedding

    data = tmp_path / "data"
    (tmp_path / "notebooks").mkdir()
    (data / "02_intermediate").mkdir(parents=True)
    (data / "02_intermediate" / "samples").symlink_to(digits.folder)
    trained.save(data / "06_models/autoencoder")
    for part in ("encoder", "decoder"):
        trained.part(part).save(data / "06_models" / part)
    write_latents(data / "07_model_output/latents.parquet", embedding.latent_stream(trained, digits))
    monkeypatch.chdir(tmp_path / "notebooks")
    cells = json.loads(path.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    assert "def " not in code
    assert "class " not in code
    exec(compile(code, path.name, "exec"), {})
